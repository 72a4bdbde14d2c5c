"""Sweeps: a plain run for each combination of values, in a process and a folder of its own, that may be gone on with.

`launchers` is what remains of Hydra's own multirun, for those who choose a launcher of Hydra's.
"""
