"""The other side: a payment server that counts, on loopback."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.processes import free_port


class Bank:
    """What was paid, by case; who has stood still: who first comes to its point, at one of the replicas `to_lose`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.payments: Counter[str] = Counter()
        self.keys: dict[str, str] = {}
        self.held: set[str] = set()
        self.to_lose: frozenset[str] = frozenset()
        self.requests: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def pay(self, request: Request) -> Response:
        """Pay. Whoever says that it is idempotent is paid once a key, anybody else as often as they ask."""
        asked = await request.json()
        self.requests[asked["case"]] += 1
        if asked["way"] != "idempotent" or asked["key"] not in self.keys:
            self.payments[asked["case"]] += 1
        self.keys[asked["key"]] = asked["case"]
        return JSONResponse({})

    async def payment(self, request: Request) -> Response:
        case = self.keys.get(request.path_params["key"])
        return JSONResponse({"case": case}, 404 if case is None else 200)

    async def hold(self, request: Request) -> Response:
        asked = await request.json()
        case = asked["case"]
        stands = asked["replica"] in self.to_lose and case not in self.held
        if stands:
            self.held.add(case)
        return JSONResponse({"stands": stands})


@asynccontextmanager
async def open_bank() -> AsyncIterator[Bank]:
    """Yield a bank that answers."""
    bank = Bank()
    routes = [
        Route("/pay", bank.pay, methods=["POST"]),
        Route("/payments/{key}", bank.payment),
        Route("/held", bank.hold, methods=["POST"]),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes), port=bank.port, log_level="warning", log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())  # `serve` would take this program's signals
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield bank
    finally:
        server.should_exit = True
        await serving
