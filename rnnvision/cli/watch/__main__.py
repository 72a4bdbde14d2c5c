"""python -m rnnvision.cli.watch, which is what `rnnvision watch` runs."""

from rnnvision.cli.watch import main

main()
