"""python -m rnnvision.cli.tune, which is what `rnnvision tune` runs."""

from rnnvision.cli.tune import main

main()
