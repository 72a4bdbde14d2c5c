"""python -m rnnvision.cli.completion, which is what `rnnvision completion` runs."""

from rnnvision.cli.completion import main

main()
