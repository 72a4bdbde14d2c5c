"""Several runs: jobs, where they run, and the search of a space of settings. Needs no torch and no Hydra."""

from rnnvision.search.job import Job

__all__ = ["Job"]
