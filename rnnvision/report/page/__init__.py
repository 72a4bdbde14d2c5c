"""Pages: a run, or several runs side by side, as one HTML file made of sections of plain data."""
