"""A call of a tool that acts, and what is on record of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gatehouse.storage.digest import digest_of
from gatehouse.tools.call_digest import call_digest

Status = Literal["claimed", "done", "failed", "unknown"]

LONGEST_ID = 200  # characters


@dataclass(frozen=True, slots=True)
class Call:
    """A call in an attempt at a run. `call_id` is the model's, empty without one; `place` is its node's.

    `user_name`, `runnable` (its name) and `thread_id` are the run's. `in_transaction` says that its effect is
    committed together with its row. `anew` says that this attempt began from the start: ids of the same calls
    are others than before. `again` says that what another attempt may have begun can be done again.
    """

    tenant_id: str
    user_id: str
    run_id: str
    attempt: int
    tool: str
    args: Mapping[str, Any]
    call_id: str = ""
    place: str = ""
    anew: bool = False
    again: bool = False
    in_transaction: bool = False
    user_name: str = ""
    runnable: str = ""
    thread_id: str | None = None

    @property
    def digest(self) -> str:
        """What stands for the tool and its arguments."""
        return call_digest(self.tool, self.args)

    @property
    def id(self) -> str:
        """The model's id, within its bounds."""
        return bounded(self.call_id)


def bounded(text: str) -> str:
    """Return a text that a column can hold, or what stands for it."""
    return text if len(text) <= LONGEST_ID and "\0" not in text else digest_of(text)


@dataclass(frozen=True, slots=True)
class Effect:
    """A row of the ledger. `fresh`: this very call has claimed it just now, and is to make it.

    `first`: nobody had called it before; `decided`: so often a person had it called again. `result` is what
    the tool returned, as it is kept, with its type; `error` is what the model is told.
    """

    run_id: str
    call_id: str
    digest: str
    tenant_id: str
    tool: str
    key: str
    status: Status
    attempt: int
    decided: int = 0
    result: tuple[str, bytes] | None = None
    error: str = ""
    same_as: str = ""
    fresh: bool = False
    first: bool = False

    @property
    def why(self) -> str:
        """Why it is unknown whether it has happened, as a sentence for people."""
        return f"{self.error[:1].upper()}{self.error[1:]}."
