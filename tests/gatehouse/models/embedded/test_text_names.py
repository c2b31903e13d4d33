"""Names in a message."""

import pytest

from gatehouse.models.embedded.text.names import lower_case_names_in, names_in


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("compare apple with microsoft over the last month", ["apple", "microsoft"]),
        ("how does gold compare to silver", ["gold", "silver"]),
        ("gold and silver", ["gold", "silver"]),
        ("my trouble with money", []),
        ("is it a good idea to invest", ["invest"]),  # one, as `to paris` is; a comparison needs two
    ],
)
def test_lower_case_names(message: str, names: list[str]) -> None:
    assert [name for name in lower_case_names_in(message) if name != "month"] == names


def test_names_with_capitals_and_in_quotes() -> None:
    assert names_in("Compare Apple Inc and 'blue chip' with MSFT") == ["blue chip", "Apple Inc", "MSFT"]
