"""How a server ends that does not end well."""


class StartFailed(Exception):
    """The server could not start; the message is one line that says which part is wrong."""


class CutOff(Exception):
    """A second signal ended the server before its streams had ended."""
