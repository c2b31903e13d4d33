"""MCP's own client: the runnables that are tools, and a call that says how far it is.

GATEHOUSE_API_KEY=… python examples/python/mcp_client.py "What is a bond?"
"""

import asyncio
import os
import sys

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

URL = os.environ.get("GATEHOUSE_URL", "http://127.0.0.1:8000")


async def told(_progress: float, _total: float | None, message: str | None) -> None:
    print(f"({message})", file=sys.stderr)


async def main(headers: dict[str, str], questions: list[str]) -> None:
    async with (
        httpx2.AsyncClient(headers=headers, timeout=300) as http,
        Client(streamable_http_client(f"{URL}/mcp", http_client=http)) as mcp,
    ):
        print("tools:", ", ".join(tool.name for tool in (await mcp.list_tools()).tools))
        thread: dict[str, str] = {}  # the first question begins one, the next go on in it
        for question in questions:
            result = await mcp.call_tool("agent", {"query": question, **thread}, progress_callback=told)
            print("".join(block.text for block in result.content if block.type == "text"))
            thread = {"thread_id": result.meta["thread_id"]} if result.meta else {}


if __name__ == "__main__":
    asyncio.run(main({"x-api-key": os.environ["GATEHOUSE_API_KEY"]}, sys.argv[1:]))
