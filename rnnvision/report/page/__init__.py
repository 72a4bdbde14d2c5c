"""One self-contained HTML page of a run, or of several runs side by side: sections of plain data, drawn and rendered."""
