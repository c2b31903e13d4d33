"""The fields of a runnable that can be configured."""

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import ConfigurableFieldSpec, Runnable


def specs_of(runnable: Runnable[Any, Any]) -> Sequence[ConfigurableFieldSpec]:
    """Return the fields that a runnable says can be configured.

    LangChain looks for them without end in a function that calls the runnable in which it stands: such a one
    has none.
    """
    try:
        return runnable.config_specs
    except RecursionError:
        return ()
