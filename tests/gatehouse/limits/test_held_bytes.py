"""What is held for all connections of a caller together."""

import pytest

from gatehouse.limits.held_bytes import HeldBytes
from gatehouse.limits.refusal import LimitReached

ALICE, BOB, ADDRESS = ("acme", "alice"), ("acme", "bob"), ("", "192.0.2.1")


class TestHeldBytes:
    def test_of_a_caller_are_bounded_and_of_each_by_themselves(self) -> None:
        held = HeldBytes(most=10)
        held.hold(ALICE, 6)
        with pytest.raises(LimitReached) as refused:
            held.hold(ALICE, 5)
        assert (refused.value.limit, refused.value.whose) == ("held-bytes", "user")
        held.hold(BOB, 5)
        held.hold(ALICE, 4)
        held.release(ALICE, 6)
        held.hold(ALICE, 6)
        assert (held[ALICE], held[BOB]) == (10, 5)

    def test_of_one_who_is_nobody_yet_are_their_address_s(self) -> None:
        held = HeldBytes(most=10)
        held.hold(ADDRESS, 6)
        with pytest.raises(LimitReached) as refused:
            held.hold(ADDRESS, 5)
        assert refused.value.whose == "address"

    def test_may_be_one_larger_body(self) -> None:
        """An entry may take files that are larger than all that is held otherwise."""
        held = HeldBytes(most=10)
        held.hold(ALICE, 8)
        held.hold(ALICE, 8, own=8)
        with pytest.raises(LimitReached):
            held.hold(ALICE, 1)
        held.release(ALICE, 16)
        assert held[ALICE] == 0
