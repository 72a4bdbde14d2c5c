"""What `measure_claims.py` measures: one file a claim, functions of networks and pictures, and the tables they make."""
