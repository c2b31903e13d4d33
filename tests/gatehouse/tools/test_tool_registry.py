import pytest
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from pydantic import BaseModel, Field
from tool_calls import refusal

from gatehouse.tools.building import BadTool, Resources, build_tools


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


def built_from(_resources: Resources) -> BaseTool:
    @tool("from_a_factory")
    def answer(text: str) -> str:
        """Say it."""
        return text

    return answer


NOWHERE = Resources(None)  # type: ignore[arg-type]  # no database is asked


class TestBuild:
    def test_takes_ready_tools_and_factories(self) -> None:
        assert [t.name for t in build_tools((ready, built_from), NOWHERE)] == ["ready", "from_a_factory"]

    async def test_makes_failures_readable_for_the_model(self) -> None:
        [built] = build_tools((ready,), NOWHERE)
        assert await refusal(built, text="that") == "I can't say that."
        assert "text: Field required" in await refusal(built)

    async def test_tells_of_five_faulty_arguments_at_most(self) -> None:
        greedy = StructuredTool.from_function(
            lambda **_: "", name="greedy", description="Take six.", args_schema=FivePlusOne
        )
        [built] = build_tools((greedy,), NOWHERE)
        message = await refusal(built)
        assert "e: Field required" in message
        assert "f: " not in message

    async def test_leaves_a_tools_own_handling(self) -> None:
        own = ready.model_copy(update={"handle_tool_error": "My own words."})
        [built] = build_tools((own,), NOWHERE)
        assert await refusal(built, text="that") == "My own words."

    def test_does_not_alter_the_entry(self) -> None:
        build_tools((ready,), NOWHERE)
        assert ready.handle_tool_error is False


class TestRefusals:
    def test_a_name_that_is_there_twice(self) -> None:
        with pytest.raises(BadTool, match=r"^tool from_a_factory: this name is there twice"):
            build_tools((built_from, built_from), NOWHERE)

    def test_a_missing_description(self) -> None:
        silent = ready.model_copy(update={"name": "silent", "description": "  "})
        with pytest.raises(BadTool, match=r"^tool silent: the description is missing"):
            build_tools((silent,), NOWHERE)

    def test_a_failing_factory(self) -> None:
        def weather(_resources: Resources) -> BaseTool:
            raise LookupError("no weather station")

        with pytest.raises(
            BadTool, match=r"^tool weather: its factory failed: LookupError: no weather station"
        ) as caught:
            build_tools((weather,), NOWHERE)
        assert isinstance(caught.value.__cause__, LookupError)

    def test_a_factory_that_returns_something_else(self) -> None:
        def plain(_resources: Resources) -> str:
            return "hello"

        with pytest.raises(BadTool, match=r"^tool plain: its factory returned str, not a tool"):
            build_tools((plain,), NOWHERE)  # type: ignore[arg-type]

    def test_a_nameless_entry_is_shown_as_it_is(self) -> None:
        with pytest.raises(BadTool, match=r"^tool 5: its factory failed"):
            build_tools((5,), NOWHERE)  # type: ignore[arg-type]
