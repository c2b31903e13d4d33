"""What tokens cost, by the operator's file."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatehouse.usage.prices import BadPrices, Prices

FILE = {
    "currency": "EUR",
    "models": {
        "gpt-5": {"input": 1.0, "output": 8.0, "cached_input": 0.1},
        "gpt-5-mini": {"input": 0.25, "output": 2.0},
    },
}


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    return Prices.read(written(tmp_path, FILE))


def written(folder: Path, content: Any) -> Path:
    file = folder / "prices.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_cost_what_a_million_cost_in_parts(prices: Prices) -> None:
    price = prices.of("gpt-5")
    assert price is not None
    assert price.of(1_000_000, 500_000, 400_000) == pytest.approx(0.6 + 0.04 + 4.0)


def test_cached_ones_cost_as_much_where_nothing_else_is_said(prices: Prices) -> None:
    price = prices.of("gpt-5-mini")
    assert price is not None
    assert price.of(1_000_000, 0, 1_000_000) == pytest.approx(0.25)


def test_no_more_of_them_are_paid_than_there_were_tokens(prices: Prices) -> None:
    price = prices.of("gpt-5")
    assert price is not None
    assert price.of(1_000_000, 0, 3_000_000) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("model", "name"), [("gpt-5-2026-08-07", "gpt-5"), ("gpt-5-mini-2026", "gpt-5-mini"), ("gpt-5", "gpt-5")]
)
def test_of_a_dated_version_are_those_of_its_model(prices: Prices, model: str, name: str) -> None:
    assert prices.of(model) == prices.models[name]


@pytest.mark.parametrize("model", ["gpt-50", "", "other"])
def test_of_another_model_are_not_known(prices: Prices, model: str) -> None:
    assert prices.of(model) is None


def test_without_a_file_nothing_has_a_price() -> None:
    assert Prices.read(None).of("gpt-5") is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "Invalid JSON"),
        ({"models": {"m": {"input": 1}}}, "models.m.output: Field required"),
        ({"models": {"m": {"input": -1, "output": 1}}}, "models.m.input"),
        ({"prices": {}}, "prices: Extra inputs"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_is(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(BadPrices, match="prices.json") as refusal:
        Prices.read(written(tmp_path, content))
    assert told in str(refusal.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPrices, match="cannot be read"):
        Prices.read(tmp_path / "none.json")
