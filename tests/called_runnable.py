"""Work within a runnable that a user has called: their identity is in `configurable`, as the server puts it."""

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.store.base import BaseStore

Work = Callable[[BaseStore], Awaitable[Any]]


async def for_caller(store: BaseStore, work: Work, tenant: str = "acme", user: str = "alice") -> Any:
    """Do some work with a store within a runnable of this user's call."""

    async def called(_: None) -> Any:
        return await work(store)

    who: RunnableConfig = {"configurable": {"tenant_id": tenant, "user_id": user}}
    return await RunnableLambda(called).ainvoke(None, who)
