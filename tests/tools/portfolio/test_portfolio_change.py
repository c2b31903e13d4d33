from decimal import Decimal

from tools.portfolio.change import percent_change


class TestPercentChange:
    def test_is_relative_to_the_start(self) -> None:
        assert percent_change(Decimal(80), Decimal(100)) == 25
        assert percent_change(Decimal(100), Decimal(80)) == -20
