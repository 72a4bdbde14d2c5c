"""The two bases of all errors that concern the user; their messages are complete, without a traceback.

Any other exception is a defect of the program, and is shown with its traceback.
"""


class UsageError(Exception):
    """Wrong use: an invalid value, name or file. A command ends with exit code 2."""


class FailureError(Exception):
    """A failure of a correct command: damaged data, training that diverged. Exit code 1."""
