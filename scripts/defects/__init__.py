"""Faults that scripts/seed_defects.py puts into the package, and what it runs them in."""
