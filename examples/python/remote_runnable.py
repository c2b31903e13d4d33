"""LangServe's client, synchronous and asynchronous, with several questions at once.

GATEHOUSE_API_KEY=… python examples/python/remote_runnable.py "What is a bond?"
"""

import asyncio
import os
import sys

from langserve import RemoteRunnable

URL = os.environ.get("GATEHOUSE_URL", "http://127.0.0.1:8000")
HEADERS = {"x-api-key": os.environ["GATEHOUSE_API_KEY"]}


def ask(question: str) -> None:
    """Print the answer of /chat, which says texts, as it comes."""
    chat = RemoteRunnable(f"{URL}/chat", headers=HEADERS)
    for text in chat.stream({"input": question}):
        print(text, end="", flush=True)
    print()


async def ask_agent(question: str) -> None:
    """Print the answer of /agent, which says messages, and the tools that it uses."""
    agent = RemoteRunnable(f"{URL}/agent", headers=HEADERS)
    async for event in agent.astream_events({"input": question}, version="v2"):
        if event["event"] == "on_tool_start":
            print(f"[{event['name']}] ", end="", flush=True)
        elif event["event"] == "on_chat_model_stream":
            print(event["data"]["chunk"].content, end="", flush=True)
    print()


async def ask_all(*questions: str) -> None:
    """Print the answers to all questions, which the server works at together."""
    chat = RemoteRunnable(f"{URL}/chat", headers=HEADERS)
    for question, answer in zip(questions, await chat.abatch([{"input": q} for q in questions]), strict=True):
        print(f"{question}: {answer}")


if __name__ == "__main__":
    try:
        ask(sys.argv[1])
        asyncio.run(ask_agent(sys.argv[1]))
        asyncio.run(ask_all(*sys.argv[1:]))
    except BrokenPipeError:  # nobody reads on: `| head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
