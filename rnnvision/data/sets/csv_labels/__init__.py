"""Images with their labels in a CSV file: the table, its columns, the files that they name, and the reader."""

from rnnvision.data.sets.csv_labels.reader import read_csv

__all__ = ["read_csv"]
