"""What LangGraph calls a graph's context: what it is told beside its input, such as whom it answers.

In a notebook that is an argument of `invoke`. Here its fields are those of `configurable`: what the server
knows of the caller and the run, and what the entry lets a client configure.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from langchain_core.runnables import ConfigurableFieldSpec, Runnable
from langgraph.pregel import Pregel
from pydantic import BaseModel
from typing_extensions import is_typeddict

from gatehouse.identity.principal import OWN_NAMES
from gatehouse.problems.errors import RunFailed
from gatehouse.registry.shapes.annotations import fields_of
from gatehouse.runs.sources.unwrapping import parts_of


@dataclass(frozen=True, slots=True)
class GraphContext:
    """The context that a graph declares: a dataclass, a pydantic model or a TypedDict."""

    schema: Any

    def made(self, known: Mapping[str, Any]) -> Any:
        """Return the context out of what is known, its defaults for the rest. Raises RunFailed."""
        declared = fields_of(self.schema) or {}
        given = {name: known[name] for name in declared if name in known}
        if missing := [name for name, (_, needed) in declared.items() if needed and name not in given]:
            raise RunFailed(
                f"The graph's context needs {', '.join(missing)}, which was not given: by `configurable` "
                "where the entry names it there, by a claim of GATEHOUSE_CLAIMS, or by a default."
            )
        return given if is_typeddict(self.schema) else self.schema(**given)

    def specs(self) -> list[ConfigurableFieldSpec]:
        """Return the fields that an entry may let a client configure."""
        declared = fields_of(self.schema) or {}
        return [
            ConfigurableFieldSpec(id=name, annotation=kind, default=default_of(self.schema, name))
            for name, (kind, _) in declared.items()
            if name not in OWN_NAMES
        ]


def context_of(runnable: Runnable[Any, Any]) -> GraphContext | None:
    """Return the context that a graph in a runnable takes, None without one."""
    graphs = (getattr(part, "graph", part) for part in parts_of(runnable))
    schemas = (graph.context_schema for graph in graphs if isinstance(graph, Pregel))
    schema = next((one for one in schemas if one is not None), None)
    return None if fields_of(schema) is None else GraphContext(schema)


def maker_of(runnable: Runnable[Any, Any]) -> Callable[[Mapping[str, Any]], Any] | None:
    """Return what makes the context that a graph in a runnable takes, None without one."""
    context = context_of(runnable)
    return context.made if context else None


def default_of(schema: Any, name: str) -> Any:
    """Return the default of a field, None where it has none that is the same for all."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return schema.model_fields[name].get_default()
    found = () if is_typeddict(schema) else fields(schema)
    return next((one.default for one in found if one.name == name and one.default is not MISSING), None)
