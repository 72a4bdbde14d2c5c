"""What is done before PyTorch is there, which takes seconds: a first line, and the checks of what was typed."""
