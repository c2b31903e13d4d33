"""What is looked at before a run begins, whatever wire its question came over."""

from types import SimpleNamespace
from typing import Any

import pytest

from gatehouse.problems.errors import PayloadTooLarge
from gatehouse.wires.questions import refuse_larger


class TestSize:
    """Of an entry, where another one takes more on the same path."""

    @pytest.mark.parametrize(("own", "most"), [(10, 50), (100, 100)])
    def test_is_bounded_as_of_every_other_request_or_as_it_says(self, own: int, most: int) -> None:
        entry, larger = SimpleNamespace(max_bytes=own), SimpleNamespace(max_bytes=1000)
        services: Any = SimpleNamespace(
            settings=SimpleNamespace(max_body_bytes=50), entries={"own": entry, "larger": larger}
        )
        asked: Any = entry
        refuse_larger(services, asked, "x" * (most - 2))  # and its quotes
        with pytest.raises(PayloadTooLarge, match=f"{most} bytes"):
            refuse_larger(services, asked, "x" * (most - 1))
