"""The ways in which values of a message can be shared out among parameters of the same kind."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from gatehouse.models.embedded.text.change import End
from gatehouse.models.embedded.tool_schema import Parameter

MOST_VALUES = 6  # for one parameter, the first ones: a message of a thousand numbers means none of them
MOST_WAYS = 200

Value = TypeVar("Value", bound=Hashable)
Way = tuple[Value, ...]


def ways_to_share_out(
    candidates: Sequence[Sequence[Value]],
    parameters: Sequence[Parameter],
    end_of: Callable[[Value], End | None],
) -> Sequence[Way[Value]]:
    """Return the ways to give each parameter one of its candidates, none twice; the message's order first.

    Parameters that are the ends of a change get their values by the words around these, else in order. The
    model is not asked: it swapped `from 800 to 1000`. Others are left to it.
    """
    ways = list(islice(_distinct([values[:MOST_VALUES] for values in candidates]), MOST_WAYS))
    ends = [parameter.end for parameter in parameters]
    if not (ways and any(ends)):
        return ways
    found = {value: end_of(value) for way in ways for value in way}
    agreeing = [sum(_agreement(end, found[v]) for end, v in zip(ends, way, strict=True)) for way in ways]
    most = max(agreeing)
    first_of_each: dict[frozenset[Value], Way[Value]] = {}
    for way, agreed in zip(ways, agreeing, strict=True):
        if agreed == most:
            first_of_each.setdefault(frozenset(way), way)
    return list(first_of_each.values())


def _distinct(candidates: Sequence[Sequence[Value]], taken: Way[Value] = ()) -> Iterator[Way[Value]]:
    if not candidates:
        yield taken
        return
    for value in candidates[0]:
        if not any(value is other for other in taken):
            yield from _distinct(candidates[1:], (*taken, value))


def _agreement(wanted: End | None, found: End | None) -> int:
    return 0 if wanted is None or found is None else 1 if wanted == found else -1
