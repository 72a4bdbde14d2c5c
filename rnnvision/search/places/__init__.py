"""Where jobs run: this machine, SLURM, Ray."""

from rnnvision.search.places.local import Local
from rnnvision.search.places.place import Ended, Place

__all__ = ["Ended", "Local", "Place"]
