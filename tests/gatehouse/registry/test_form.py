"""The form of an input: what is asked for where a text is not all that a runnable takes."""

from typing import Any, Literal, TypedDict

from langchain_core.messages import AnyMessage, BaseMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import MessagesState, StateGraph
from pydantic import BaseModel, Field

from gatehouse.registry.shapes.form import form_of, is_form_first
from gatehouse.registry.shapes.shape import Shape, shape_of


class Person(BaseModel):
    name: str


class Order(BaseModel):
    symbol: str
    quantity: int = Field(1, ge=1)
    buyer: Person | None = None


class Question(BaseModel):
    question: str
    style: Literal["short", "long"] = "short"
    chat_history: list[AnyMessage] = []


class Said(TypedDict):
    input: str


class Pair(TypedDict):
    input: str
    other: str


class Dated(MessagesState):
    day: str


def taking(input_type: Any) -> Shape:
    return shape_of(RunnableLambda(str), "x", input_type)


def of_state(state: type[Any]) -> Shape:
    graph = StateGraph(state)
    graph.add_node("answer", lambda _: {})
    graph.set_entry_point("answer")
    return shape_of(graph.compile(), "x")


class TestFormOf:
    def test_there_is_none_where_a_text_is_all(self) -> None:
        for taken in (str, Any, dict, list[BaseMessage], Said):
            shape = taking(taken)
            assert form_of(shape) is None
            assert not is_form_first(shape)

    def test_an_object_is_asked_for_by_its_fields(self) -> None:
        form = form_of(taking(Order)) or {}
        assert list(form["properties"]) == ["symbol", "quantity", "buyer"]
        assert form["required"] == ["symbol"]
        assert list(form["$defs"]) == ["Person"]

    def test_what_is_no_object_is_asked_for_as_it_is(self) -> None:
        form = form_of(taking(list[int])) or {}
        assert (form["type"], form["items"]) == ("array", {"type": "integer"})

    def test_what_was_said_before_is_not_asked_for(self) -> None:
        form = form_of(taking(Question)) or {}
        assert list(form["properties"]) == ["question", "style"]
        assert "$defs" not in form  # of the messages

    def test_a_text_stands_in_place_of_messages(self) -> None:
        form = form_of(of_state(Dated)) or {}
        assert list(form["properties"]) == ["input", "day"]
        assert form["required"] == ["input"]


class TestIsFormFirst:
    def test_where_a_text_makes_no_input(self) -> None:
        assert is_form_first(taking(list[int]))
        assert is_form_first(taking(Pair))

    def test_where_a_text_is_no_question(self) -> None:
        assert is_form_first(taking(Order))

    def test_not_where_a_question_may_have_more_beside_it(self) -> None:
        assert not is_form_first(taking(Question))
        assert not is_form_first(of_state(Dated))
