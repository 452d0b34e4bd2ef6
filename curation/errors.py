"""The one exception that a user is meant to read."""


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one line: what is wrong, where, and what to do. Jobs print it and exit with code 2.
    """
