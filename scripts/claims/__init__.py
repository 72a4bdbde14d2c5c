"""The parts of `measure_claims.py`: one file a claim, functions of networks and images, and the tables they make."""
