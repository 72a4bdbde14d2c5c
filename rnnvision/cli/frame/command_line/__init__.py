"""The command line: its words read before Hydra reads them, written so that they can be copied, and explained."""
