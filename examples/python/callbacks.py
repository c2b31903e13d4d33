"""Callback handlers on any LangChain model: a writer, a progress line, an accumulator, and `async for`.

python examples/python/callbacks.py                 # the scripted model: no key, no network
python examples/python/callbacks.py openai:gpt-5-mini
"""

import asyncio
import logging
import os
import sys
from uuid import UUID

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.prompts import ChatPromptTemplate

from gatehouse.callbacks.handlers import Accumulator, Progress, ProgressTracker, StreamingWriter
from gatehouse.callbacks.token_queue import TokenQueue
from gatehouse.models.scripted.chat import ScriptedChatModel


def show(_run_id: UUID, progress: Progress) -> None:
    first = progress.seconds_to_first_token or 0.0
    line = f"{progress.tokens} tokens, {progress.tokens_per_second:.0f}/s, the first after {first:.2f} s"
    print(line, file=sys.stderr)


async def main(model: BaseChatModel) -> None:
    chain = ChatPromptTemplate.from_template("Explain {topic} in one sentence.") | model

    # every handler hears the same run
    writer, kept = StreamingWriter(sys.stdout, prefix="Assistant: "), Accumulator()
    async for _ in chain.astream({"topic": "interest"}, {"callbacks": [writer, kept, ProgressTracker(show)]}):
        pass
    print(f"{writer.tokens} tokens; the answer again: {kept.text}")

    # runs that go on at once do not mix
    topics = [{"topic": topic} for topic in ("bonds", "shares", "funds")]
    await chain.abatch(topics, {"callbacks": [StreamingWriter(sys.stdout, prefix="> ")]})

    # tokens from inside work that does not stream them itself
    queue = TokenQueue()
    async with queue.following(chain.ainvoke({"topic": "inflation"}, {"callbacks": [queue]})) as tokens:
        async for token in tokens:
            print(token.text, end="", flush=True)
        print(f"\n{(await tokens.result()).usage_metadata}")


if __name__ == "__main__":
    logging.getLogger("langchain_core.callbacks.manager").disabled = True  # the run ends
    try:
        asyncio.run(
            main(init_chat_model(sys.argv[1]) if len(sys.argv) > 1 else ScriptedChatModel(delay=0.01))
        )
    except BrokenPipeError:  # nobody reads on: `| head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
