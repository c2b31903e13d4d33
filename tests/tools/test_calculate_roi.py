import math

import pytest
from langchain_core.tools import BaseTool
from tool_calls import answer, call, refusal

Tools = dict[str, BaseTool]


class TestReturn:
    async def test_a_gain_is_a_positive_percentage_of_what_was_invested(self, tools: Tools) -> None:
        assert await answer(tools["calculate_roi"], initial=1000, final=1250.5) == {
            "initial": 1000.0,
            "final": 1250.5,
            "change": 250.5,
            "roi_percent": 25.05,
        }

    async def test_a_total_loss_is_minus_a_hundred_percent(self, tools: Tools) -> None:
        assert (await answer(tools["calculate_roi"], initial=80, final=0))["roi_percent"] == -100.0

    async def test_no_change_is_zero_without_a_sign(self, tools: Tools) -> None:
        message = await call(tools["calculate_roi"], initial=5, final=5)
        assert message.text == '{"initial":5.0,"final":5.0,"change":0.0,"roi_percent":0.0}'

    async def test_numbers_are_rounded_to_cents(self, tools: Tools) -> None:
        assert (await answer(tools["calculate_roi"], initial=3, final=4))["roi_percent"] == 33.33


class TestRefusals:
    @pytest.mark.parametrize("initial", [0, -1, -1e15])
    async def test_an_investment_of_nothing_or_less(self, tools: Tools, initial: float) -> None:
        assert "greater than 0" in await refusal(tools["calculate_roi"], initial=initial, final=10)

    @pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, "NaN", "1e999"])
    async def test_amounts_that_are_not_finite(self, tools: Tools, odd: float | str) -> None:
        assert "finite" in await refusal(tools["calculate_roi"], initial=odd, final=10)
        assert "finite" in await refusal(tools["calculate_roi"], initial=10, final=odd)

    @pytest.mark.parametrize(("initial", "final"), [(1e16, 1), (1, 1e16), (1, -1e16), (1e-300, 1e15)])
    async def test_absurd_amounts(self, tools: Tools, initial: float, final: float) -> None:
        assert "between 0.01 and 10^15" in await refusal(tools["calculate_roi"], initial=initial, final=final)

    async def test_text_names_the_faulty_argument_without_repeating_it(self, tools: Tools) -> None:
        message = await refusal(tools["calculate_roi"], initial="a lot of money", final=1)
        assert message.startswith("The arguments are not valid: initial: ")
        assert "money" not in message

    async def test_a_missing_argument_is_named(self, tools: Tools) -> None:
        assert "final: Field required" in await refusal(tools["calculate_roi"], initial=1)
