"""The contenders of `scripts/compare_peers.py`, each a process of its own: `python -m peers.NAME`.

All train the same network on the same images with the same steps, as their users would write it.
"""
