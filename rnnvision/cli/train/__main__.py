"""python -m rnnvision.cli.train, which is what `rnnvision train` runs."""

from rnnvision.cli.train import main

main()
