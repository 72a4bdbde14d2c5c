"""Checkpoints on a disk: what is in one, that it is whole, which one counts, and what is left where none fits."""
