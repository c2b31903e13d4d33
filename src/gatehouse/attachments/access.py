"""Who may do what with a user's files, whichever way it is asked."""

from gatehouse.identity.principal import READ_THREADS, Principal
from gatehouse.problems.errors import InsufficientScope

WRITE = "attachments:write"


def check_reading(principal: Principal) -> None:
    """Raise InsufficientScope for a credential that may neither read its user's threads nor erase files.

    To ask a model about a file is to read it.
    """
    if not (principal.may(READ_THREADS) or principal.may(WRITE)):
        raise InsufficientScope(READ_THREADS)
