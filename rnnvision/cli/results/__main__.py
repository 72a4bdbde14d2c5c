"""python -m rnnvision.cli.results, which is what `rnnvision results` runs."""

import gc

from rnnvision.cli.results import main

gc.disable()  # a short life with many small objects, all of them needed: looking for waste would take a third of it
main()
