"""Trackers of a run: what TensorBoard, W&B, MLflow and the CSV files are told, from its start to its end."""
