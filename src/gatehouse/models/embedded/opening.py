"""Opens the embedded chat model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import SecretStr

from gatehouse.models.embedded.chat import EmbeddedChat
from gatehouse.models.embedded.server import MODEL_NAME, MOST_TOKENS, run_llama_server


@asynccontextmanager
async def open_embedded_chat() -> AsyncIterator[EmbeddedChat]:
    """Yield the embedded model; its server stops on exit. Raises CannotStart."""
    # trust_env: a proxy of the environment must not come between this process and itself
    async with run_llama_server() as server, DefaultAsyncHttpxClient(trust_env=False) as async_client:
        with DefaultHttpxClient(trust_env=False) as client:
            yield EmbeddedChat(
                model=MODEL_NAME,
                base_url=server.base_url,
                api_key=SecretStr(server.api_key),
                temperature=0,  # its second choice is worse
                max_tokens=MOST_TOKENS,
                max_retries=0,
                use_responses_api=False,
                stream_usage=True,
                http_client=client,
                http_async_client=async_client,
            )
