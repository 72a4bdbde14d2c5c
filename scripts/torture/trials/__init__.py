"""One trial a file: TITLE and BAR of its row, COUNT of its long version, FOUND, and `run(count, seed, folder)`."""
