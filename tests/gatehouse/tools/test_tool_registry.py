import pytest
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from pydantic import BaseModel, Field
from tool_calls import refusal

from gatehouse.tools.building import TOOLS, BadTool, Stores, build_tools
from tools.portfolio.store import PortfolioStore


@tool
def ready(text: str) -> str:
    """Refuse everything."""
    raise ToolException(f"I can't say {text}.")


class FivePlusOne(BaseModel):
    a: int
    b: int
    c: int
    d: int
    e: int
    f: int = Field(description="one more than is told of")


def built_from(_stores: Stores) -> BaseTool:
    @tool("from_a_factory")
    def answer(text: str) -> str:
        """Say it."""
        return text

    return answer


@pytest.fixture
def stores(store: PortfolioStore) -> Stores:
    return Stores(portfolio=store)


class TestTheListOfTools:
    def test_holds_these(self, stores: Stores) -> None:
        assert [tool.name for tool in build_tools(stores)] == [
            "calculate_roi",
            "calculator",
            "get_portfolio_performance",
            "list_holdings",
            "compare_investments",
        ]

    def test_no_tool_takes_an_identity_from_the_model(self, stores: Stores) -> None:
        for built in build_tools(stores):
            assert not built.args.keys() & {"config", "caller", "user_id", "tenant_id", "portfolio_id"}

    def test_every_tool_and_argument_is_described(self, stores: Stores) -> None:
        for built in build_tools(stores):
            assert built.description
            assert all(argument.get("description") for argument in built.args.values())


class TestBuild:
    def test_takes_ready_tools_and_factories(self, stores: Stores) -> None:
        assert [t.name for t in build_tools(stores, (ready, built_from))] == ["ready", "from_a_factory"]

    async def test_makes_failures_readable_for_the_model(self, stores: Stores) -> None:
        [built] = build_tools(stores, (ready,))
        assert await refusal(built, text="that") == "I can't say that."
        assert "text: Field required" in await refusal(built)

    async def test_tells_of_five_faulty_arguments_at_most(self, stores: Stores) -> None:
        greedy = StructuredTool.from_function(
            lambda **_: "", name="greedy", description="Take six.", args_schema=FivePlusOne
        )
        [built] = build_tools(stores, (greedy,))
        message = await refusal(built)
        assert "e: Field required" in message
        assert "f: " not in message

    async def test_leaves_a_tools_own_handling(self, stores: Stores) -> None:
        own = ready.model_copy(update={"handle_tool_error": "My own words."})
        [built] = build_tools(stores, (own,))
        assert await refusal(built, text="that") == "My own words."

    def test_does_not_alter_the_entry(self, stores: Stores) -> None:
        build_tools(stores, (ready,))
        assert ready.handle_tool_error is False

    def test_adds_a_tool_to_the_standing_ones(self, stores: Stores) -> None:
        assert len(build_tools(stores, (*TOOLS, built_from))) == len(TOOLS) + 1


class TestRefusals:
    def test_a_name_that_is_there_twice(self, stores: Stores) -> None:
        with pytest.raises(BadTool, match=r"^from_a_factory: this name is in the registry twice"):
            build_tools(stores, (built_from, built_from))

    def test_a_missing_description(self, stores: Stores) -> None:
        silent = ready.model_copy(update={"name": "silent", "description": "  "})
        with pytest.raises(BadTool, match=r"^silent: the description is missing"):
            build_tools(stores, (silent,))

    def test_a_failing_factory(self, stores: Stores) -> None:
        def weather(_stores: Stores) -> BaseTool:
            raise LookupError("no weather station")

        with pytest.raises(BadTool, match=r"^weather: its factory failed: no weather station") as caught:
            build_tools(stores, (weather,))
        assert isinstance(caught.value.__cause__, LookupError)

    def test_a_factory_that_returns_something_else(self, stores: Stores) -> None:
        def plain(_stores: Stores) -> str:
            return "hello"

        with pytest.raises(BadTool, match=r"^plain: its factory returned str, not a tool"):
            build_tools(stores, (plain,))  # type: ignore[arg-type]

    def test_a_nameless_entry_is_shown_as_it_is(self, stores: Stores) -> None:
        with pytest.raises(BadTool, match=r"^5: its factory failed"):
            build_tools(stores, (5,))  # type: ignore[arg-type]
