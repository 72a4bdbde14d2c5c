"""python -m rnnvision.cli.doctor, which is what `rnnvision doctor` runs."""

from rnnvision.cli.doctor import main

main()
