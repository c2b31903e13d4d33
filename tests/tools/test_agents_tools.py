"""The tools of the demonstration's agent, as a whole."""

from langchain_core.tools import BaseTool


def test_no_tool_takes_an_identity_from_the_model(tools: dict[str, BaseTool]) -> None:
    for built in tools.values():
        assert not built.args.keys() & {"config", "caller", "user_id", "tenant_id", "portfolio_id"}


def test_every_tool_and_argument_is_described(tools: dict[str, BaseTool]) -> None:
    """An argument by words of its own, or by its tool's, which name it."""
    for built in tools.values():
        assert built.description
        for name, argument in built.args.items():
            assert argument.get("description") or name in built.description
