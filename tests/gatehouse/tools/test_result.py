from datetime import date
from decimal import Decimal

import pytest

from gatehouse.tools.result import as_json


class TestAsJson:
    def test_is_compact_and_keeps_the_order(self) -> None:
        assert as_json(b=1, a=["x", None, True]) == '{"b":1,"a":["x",null,true]}'

    def test_rounds_numbers_to_two_decimals(self) -> None:
        assert as_json(a=Decimal("1.005"), b=2.678, c=[{"d": (Decimal("3.14159"),)}], e=7) == (
            '{"a":1.0,"b":2.68,"c":[{"d":[3.14]}],"e":7}'
        )

    def test_has_no_negative_zero(self) -> None:
        assert as_json(a=-0.001) == '{"a":0.0}'

    def test_writes_days_and_names_as_they_are_read(self) -> None:
        assert as_json(day=date(2026, 1, 2), name="Nestlé") == '{"day":"2026-01-02","name":"Nestlé"}'

    def test_refuses_what_json_cannot_say(self) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            as_json(a=float("nan"))
