"""Where a thread's memory is the states of a graph: under which name, and after which state a run goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

STATE = "__state"  # in `configurable`: a StatePlace; nothing that begins so is traced
GOING_ON = "__going_on"  # in `configurable`: a GoingOn


@dataclass(frozen=True, slots=True)
class StatePlace:
    """Where a run goes on in its thread's states: after this checkpoint, empty for the first.

    `root` is the run that the branch begins with: each first question has states of its own.
    """

    root: str
    checkpoint_id: str = ""


@dataclass(frozen=True, slots=True)
class GoingOn:
    """What a later attempt knows: the answers by the ids of their interrupts, and whether the viewers still
    have what was told before.
    """

    answers: Mapping[str, Any]
    told: bool


def state_key(*parts: str) -> str:
    """Return the name under which what is somebody's own is kept. No run has such an id."""
    return orjson.dumps(parts).decode()


def is_state_key(name: str) -> bool:
    """Tell whether checkpoints of this name are a thread's own states, and not those of one run."""
    return name.startswith("[")
