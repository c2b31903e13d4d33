"""The parser at the end of a text chain."""

from collections.abc import AsyncIterator

from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration


class TextParser(StrOutputParser):
    """LangChain's StrOutputParser without its thread: that one hops to a thread for every token.

    Taking the text out of a message is a matter of microseconds; the hop was a third of what a streamed
    token cost (bench/README.md).
    """

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[str]:  # noqa: A002
        async for chunk in input:
            yield chunk if isinstance(chunk, str) else text_of(chunk)


def text_of(message: BaseMessage) -> str:
    """Return what StrOutputParser makes of a message."""
    content = message.content
    return content if isinstance(content, str) else ChatGeneration(message=message).text
