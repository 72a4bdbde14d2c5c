"""python -m rnnvision.cli.compare, which is what `rnnvision compare` runs."""

from rnnvision.cli.compare import main

main()
