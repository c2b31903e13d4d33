"""The client of LangSmith, for feedback: traces go there by LangChain's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langsmith import AsyncClient

from app.settings import Settings

SECONDS = 10.0  # in which LangSmith has to take feedback


@asynccontextmanager
async def open_langsmith(settings: Settings) -> AsyncIterator[AsyncClient | None]:
    """Yield a client of LangSmith; None when no key is set for it."""
    if settings.langsmith_api_key is None:
        yield None
        return
    client = AsyncClient(
        api_url=settings.langsmith_endpoint,
        api_key=settings.langsmith_api_key.get_secret_value(),
        timeout_ms=int(SECONDS * 1000),
        disable_prompt_cache=True,
    )
    try:
        yield client
    finally:
        await client.aclose()  # type: ignore[no-untyped-call]
