"""Opens the embedded chat model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

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
            chat = partial(
                EmbeddedChat,
                model=MODEL_NAME,
                base_url=server.base_url,
                api_key=SecretStr(server.api_key),
                temperature=0.2,  # what the model's authors advise
                max_tokens=MOST_TOKENS,
                max_retries=0,
                stream_usage=True,
                use_responses_api=False,
                http_client=client,
                http_async_client=async_client,
            )
            yield await asyncio.to_thread(chat)  # it reads a file
