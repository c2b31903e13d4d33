"""LangSmith, for feedback: traces go there by LangChain's own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog
from langsmith import AsyncClient
from langsmith.schemas import Feedback, FeedbackIngestToken
from langsmith.utils import LangSmithError, LangSmithNotFoundError, LangSmithUserError, get_tracer_project
from pydantic import ValidationError

from gatehouse.problems.errors import NotFound, Unavailable
from gatehouse.settings import Settings

log = structlog.get_logger(__name__)

SECONDS = 10.0  # in which it has to take feedback
ATTEMPTS = 3  # the run's trace may not have arrived yet

Value = float | int | bool | str | None


class LangSmith:
    """Keeps feedback beside the traces of the process's project."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._project: UUID | None = None

    async def keep(
        self, run_id: UUID, key: str, *, score: float | bool | None, value: Value, comment: str | None
    ) -> Feedback:
        """Return the feedback as it was kept. Raises Unavailable."""
        async with taken_or_told("feedback"):
            return await self._client.create_feedback(
                run_id,
                key,
                score=score,
                value=value,
                comment=comment,
                source_info={"from_langserve": True},
                session_id=await self._project_id(),
                stop_after_attempt=ATTEMPTS,
            )

    async def token(self, run_id: UUID, key: str) -> FeedbackIngestToken:
        """Return a token by which its holder can judge this run, for three hours. Raises Unavailable."""
        async with taken_or_told("token for feedback"):
            return await self._client.create_presigned_feedback_token(run_id, key)

    async def keep_by_token(self, token: str, feedback: Mapping[str, Any]) -> None:
        """Keep feedback on the run of a token. Raises NotFound for no token of LangSmith's, Unavailable."""
        async with taken_or_told("feedback"):
            try:
                await self._client.create_feedback_from_token(token, **feedback)
            except (
                ValueError,
                LangSmithUserError,
                LangSmithNotFoundError,
            ):  # it is none, or not there any more
                raise NotFound("LangSmith knows no such token.") from None

    async def _project_id(self) -> UUID:
        """Return the id of the project that traces go to; LangSmith finds runs by it."""
        if self._project is None:
            project = await self._client.read_project(project_name=get_tracer_project())
            self._project = project.id
        return self._project


@asynccontextmanager
async def taken_or_told(what: str) -> AsyncIterator[None]:
    """Wait for LangSmith, and not for long. Raises Unavailable."""
    try:
        async with asyncio.timeout(SECONDS):
            yield
    except (LangSmithError, ValidationError, TimeoutError, OSError) as error:
        log.warning(f"LangSmith takes no {what}", error=type(error).__name__)
        raise Unavailable("LangSmith did not take the feedback. Try again later.") from error


@asynccontextmanager
async def open_langsmith(settings: Settings) -> AsyncIterator[LangSmith | None]:
    """Yield LangSmith; None when no key is set for it."""
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
        yield LangSmith(client)
    finally:
        await client.aclose()  # type: ignore[no-untyped-call]
