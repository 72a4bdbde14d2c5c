"""What is going on, shown while it goes on: the last line of a terminal, or now and then a line of a log."""
