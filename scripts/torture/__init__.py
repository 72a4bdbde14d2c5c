"""What is done to a run and to its files, and what must be left afterwards: see scripts/run_torture.py."""
