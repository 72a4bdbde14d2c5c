"""Studies: the trials of a hyperparameter search as a table, pictures and a page."""
