"""python -m rnnvision.cli.models, which is what `rnnvision models` runs."""

from rnnvision.cli.models import main

main()
