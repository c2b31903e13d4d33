"""The tools of the demonstration's agent, as a whole."""

from langchain_core.tools import BaseTool


def test_are_these(tools: dict[str, BaseTool]) -> None:
    assert list(tools) == [
        "calculate_roi",
        "calculator",
        "get_portfolio_performance",
        "list_holdings",
        "compare_investments",
    ]


def test_no_tool_takes_an_identity_from_the_model(tools: dict[str, BaseTool]) -> None:
    for built in tools.values():
        assert not built.args.keys() & {"config", "caller", "user_id", "tenant_id", "portfolio_id"}


def test_every_tool_and_argument_is_described(tools: dict[str, BaseTool]) -> None:
    for built in tools.values():
        assert built.description
        assert all(argument.get("description") for argument in built.args.values())
