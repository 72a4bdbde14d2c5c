"""Runs looked for: an index of all run folders, and conditions on runs."""
