"""A client's own tools, and the schema that it wants an answer in, bound to a chat model served alone."""

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable


def bound_to(runnable: Runnable[Any, Any], bound: Mapping[str, Any]) -> Runnable[Any, Any]:
    """Return the model with what a client binds to it.

    `bound` is JSON: `tools` of OpenAI's form with a `tool_choice` (a name, or "required"; None leaves it to
    the model), or a JSON `schema` with a title.
    """
    model = cast("BaseChatModel", runnable)  # the registry lets nothing else have any
    if "schema" in bound:
        return model.with_structured_output(bound["schema"])
    return model.bind_tools(bound["tools"], tool_choice=bound.get("tool_choice"))
