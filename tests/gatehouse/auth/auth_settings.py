"""Words that fixtures and tests of authentication share."""

from collections.abc import Callable

from gatehouse.settings import Settings

PEPPER = "pepper that is not kept in the database"
PARTNER = "https://partner.example"  # an origin that is allowed

MakeSettings = Callable[..., Settings]
