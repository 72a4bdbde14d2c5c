"""Configurations that others may have written: run folders, and folders of configurations (--config-dir).

They are bounded before OmegaConf sees them (`reading`), and what they may ask for is on lists (`rules`,
`interpolations`): in them nothing sets what Hydra itself does, and nothing reads the environment at will.
"""
