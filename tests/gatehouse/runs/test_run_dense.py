"""Records that are kept without an object each: what is kept of them makes the same records again."""

from hypothesis import given
from hypothesis import strategies as st

from gatehouse.runs.events import Cursor, Event, Reasoning, Token, record
from gatehouse.runs.log.dense import DenseRecords, packed

EVENTS = st.lists(st.one_of(st.builds(Token, st.text()), st.builds(Reasoning, st.text())), max_size=20)


def dense(events: list[Event], before: int = 0) -> DenseRecords:
    """Return events as an execution and the log's reader keep them: its own tokens as texts."""
    kept = DenseRecords(2, before)
    for at, event in enumerate(events, before + 1):
        kept.types.append(event.type)
        kept.data.append(event.content if isinstance(event, Token) else record(Cursor(2, at), event).data)
    return kept


class TestRecords:
    @given(EVENTS, st.integers(0, 9), st.integers(0, 25))
    def test_are_those_of_their_events(self, events: list[Event], before: int, first: int) -> None:
        expected = [record(Cursor(2, at), event) for at, event in enumerate(events, before + 1)]
        assert dense(events, before).records(first) == expected[first:]

    @given(EVENTS)
    def test_are_packed_as_records_are(self, events: list[Event]) -> None:
        kept = dense(events)
        assert kept.packed() == packed(kept.records())

    @given(EVENTS, st.integers(1, 7))
    def test_come_in_pieces_of_a_size(self, events: list[Event], size: int) -> None:
        kept = dense(events, 3)
        pieces = kept.pieces(size)
        assert [one for piece in pieces for one in piece.records()] == kept.records()
        assert all(len(piece) <= size for piece in pieces)
        assert pieces[-1].top == kept.top
