"""What is raised when authentication is set up in a way that cannot work."""


class BadConfiguration(Exception):
    """A setting of authentication cannot work; the message says which and how to mend it."""
