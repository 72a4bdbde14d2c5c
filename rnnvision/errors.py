"""The two bases of every error that is the user's to know; their messages are complete, without a traceback.

What is neither is a defect of the program, and is shown with its traceback.
"""


class UsageError(Exception):
    """Wrong use: a value, a name, a file that cannot be right. A command ends with exit code 2."""


class FailureError(Exception):
    """A failure through no fault in what was typed: data that is damaged, a training that diverged. Exit code 1."""
