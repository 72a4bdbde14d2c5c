"""python -m rnnvision.cli.diff, which is what `rnnvision diff` runs."""

from rnnvision.cli.diff import main

main()
