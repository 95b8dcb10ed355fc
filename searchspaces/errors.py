"""Every error that policysearch means a user to read: one line that names the thing, the value, what is allowed, and the cure.

Each class owns the exit code of the command line. Anything else that escapes is a defect of ours, not a message to the user.
"""


class PolicysearchError(Exception):
    """Root of the family. The message is one line; the command line prints it without a traceback."""

    exit_code = 2


class BadInput(PolicysearchError):
    """A wish, a file or a folder that can't be used as it is."""


class StudyMismatch(PolicysearchError):
    """A study of this name exists with other wishes; the message says which differ."""

    exit_code = 3


class NoTrialSucceeded(PolicysearchError):
    """Every trial failed, so there is nothing to select."""

    exit_code = 4


class LookRefused(PolicysearchError):
    """A new look at a test set that this study has already spent."""

    exit_code = 5
