"""python -m rnnvision.cli.results, which is what `rnnvision results` runs."""

from rnnvision.cli.results import main

main()
