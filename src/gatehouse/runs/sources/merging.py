"""Configs as one, with the step limit that LangChain loses."""

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs


def merged(*configs: RunnableConfig | None) -> RunnableConfig:
    """Return configs as LangChain merges them, what a later one says over what an earlier one does.

    LangChain takes a `recursion_limit` of 25 for its own default and drops it: a graph would go on for
    LangGraph's, which is 10,000 steps.
    """
    whole = merge_configs(*configs)
    limits = [config["recursion_limit"] for config in configs if config and "recursion_limit" in config]
    return {**whole, "recursion_limit": limits[-1]} if limits else whole
