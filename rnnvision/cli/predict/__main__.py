"""python -m rnnvision.cli.predict, which is what `rnnvision predict` runs."""

from rnnvision.cli.predict import main

main()
