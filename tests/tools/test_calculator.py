import math
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.tools import BaseTool, ToolException
from tool_calls import answer, call, refusal

from tools.calculator import MAX_BITS, MAX_LENGTH, evaluate

Tools = dict[str, BaseTool]


class TestArithmetic:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("1 + 2 * 3", 7),
            ("(1 + 2) * 3", 9),
            ("7 / 2", 3.5),
            ("7 // 2", 3),
            ("-7 % 3", 2),
            ("2 ** 10", 1024),
            ("2 ** -1", 0.5),
            ("+3 - -2", 5),
            ("sqrt(16)", 4),
            ("log(e)", 1),
            ("log(8, 2)", 3),
            ("exp(0)", 1),
            ("round(2.71828, 2)", 2.72),
            ("round(1234, -2)", 1200),
            ("round(2.6)", 3),
            ("abs(-4)", 4),
            ("min(3, 1, 2)", 1),
            ("max(3, 1, 2)", 3),
            ("pi", math.pi),
            ("  1 + 1\n", 2),
            ("1 ** 10 ** 300", 1),
            ("2 ** 1023", 2**1023),
        ],
    )
    def test_value(self, expression: str, value: float) -> None:
        assert evaluate(expression) == value

    async def test_an_integer_result_is_exact(self, tools: Tools) -> None:
        assert await answer(tools["calculator"], expression="2**100") == {
            "expression": "2**100",
            "result": 2**100,
        }

    async def test_a_decimal_result_shows_no_rounding_noise(self, tools: Tools) -> None:
        message = await call(tools["calculator"], expression="0.1 + 0.2")
        assert message.text == '{"expression":"0.1 + 0.2","result":0.3}'

    async def test_a_decimal_result_is_not_cut_to_cents(self, tools: Tools) -> None:
        assert (await answer(tools["calculator"], expression="1 / 3"))["result"] == 0.333333333333

    @settings(deadline=None)
    @given(st.lists(st.integers(-9999, 9999), min_size=1, max_size=20))
    def test_sums_are_those_of_python(self, numbers: list[int]) -> None:
        assert evaluate(" + ".join(f"({number})" for number in numbers)) == sum(numbers)


class TestRefusals:
    @pytest.mark.parametrize(
        "expression",
        [
            "9**9**9",
            "2**10**9",
            "(-2)**4001",
            "10**400",
            "1e999",
            "1e308*10",
            "exp(1000)",
            "9.9**999",
            "10**308*10**308",
            "(10**308)**2 / 3",
            "sqrt(2**1023 * 1.9)**9",
        ],
    )
    def test_results_that_are_too_large(self, expression: str) -> None:
        with pytest.raises(ToolException, match="too large"):
            evaluate(expression)

    @pytest.mark.parametrize("expression", ["1/0", "1//0", "1%0", "0**-1", "0.0**-1", "log(5, 1)"])
    def test_division_by_zero(self, expression: str) -> None:
        with pytest.raises(ToolException, match="divides by zero"):
            evaluate(expression)

    @pytest.mark.parametrize("expression", ["sqrt(-1)", "log(0)", "log(-1)", "(-8)**(1/3)", "(-1)**0.5"])
    def test_what_has_no_real_result(self, expression: str) -> None:
        with pytest.raises(ToolException, match="no real result"):
            evaluate(expression)

    @pytest.mark.parametrize(
        "expression",
        [
            "__import__('os').system('true')",
            "(1).__class__",
            "open('/etc/passwd')",
            "[1][0]",
            "{1: 2}",
            "lambda: 1",
            "[x for x in (1,)]",
            "f'{1}'",
            "'a' * 10**9",
            "b'a'",
            "True + 1",
            "None",
            "...",
            "1j",
            "1 < 2",
            "1 if 1 else 2",
            "1 and 2",
            "not 1",
            "~1",
            "1 << 10**9",
            "2 ^ 3",
            "1 @ 2",
            "x",
            "nan",
            "inf",
            "factorial(10**6)",
            "pow(2, 10**9)",
            "sqrt(x=4)",
            "max(*(1, 2))",
            "(sqrt)(4)(4)",
            "(a := 1)",
        ],
    )
    def test_what_is_not_arithmetic(self, expression: str) -> None:
        with pytest.raises(ToolException, match="not known here"):
            evaluate(expression)

    @pytest.mark.parametrize(
        "expression",
        ["", "   ", "1 +", "5 %", "$5", "1 2", "(1", "import os", "a = 1", "1\n2", "\0", "\ud800"],
    )
    def test_what_cannot_be_read(self, expression: str) -> None:
        with pytest.raises(ToolException, match="cannot be read as arithmetic"):
            evaluate(expression)

    def test_thousands_separators(self) -> None:
        with pytest.raises(ToolException, match="1000, not 1,000"):
            evaluate("1,000 + 1")

    @pytest.mark.parametrize(
        ("expression", "count"), [("sqrt(1, 2)", "takes 1 "), ("log()", "1 to 2"), ("max(1)", "2 to 200")]
    )
    def test_a_wrong_count_of_numbers(self, expression: str, count: str) -> None:
        with pytest.raises(ToolException, match=count):
            evaluate(expression)

    @pytest.mark.parametrize("digits", ["-10**9", "10**9", "1.5", "16"])
    def test_rounding_to_absurd_digits(self, digits: str) -> None:
        with pytest.raises(ToolException, match="whole number of digits"):
            evaluate(f"round(1, {digits})")

    async def test_the_model_gets_a_message_to_go_on_from(self, tools: Tools) -> None:
        assert (
            await refusal(tools["calculator"], expression="1/0") == "This divides by zero. Check the numbers."
        )

    def test_a_long_expression(self) -> None:
        assert evaluate("1" + "+1" * 99) == 100
        with pytest.raises(ToolException, match=f"longer than {MAX_LENGTH}"):
            evaluate("1" + "+1" * 100)


class TestBounds:
    @pytest.mark.parametrize(
        "expression",
        [
            "-" * 199 + "1",
            "(" * 99 + "1" + ")" * 99,
            "(" * 200,
            "1" + "+1" * 99,
            "1" + "**1" * 66,
            "9" + "**9" * 66,
            "9" * 200,
            "abs(" * 39 + "1" + ")" * 39,
            "round(1,-10**9)",
            "10**300" + "*10**300" * 20,
        ],
    )
    def test_hostile_expressions_end_at_once(self, expression: str) -> None:
        def outcome() -> tuple[str, float]:
            try:
                return str(evaluate(expression)), time.thread_time()
            except ToolException as error:
                return str(error), time.thread_time()

        with ThreadPoolExecutor(1) as thread:  # as a tool without `async` is run
            text, cpu_seconds = thread.submit(outcome).result()
        assert text
        assert cpu_seconds < 0.2

    @settings(deadline=None)
    @given(st.text("0123456789.+-*/%() ,esqrtlogxpmaindub", max_size=60))
    def test_whatever_is_written_ends_in_a_bounded_number_or_a_refusal(self, expression: str) -> None:
        try:
            value = evaluate(expression)
        except ToolException:
            return
        assert math.isfinite(value)
        assert not isinstance(value, int) or value.bit_length() <= MAX_BITS
