"""Measures what identity and limits cost a request: `make bench`; see bench/README.md."""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import uvloop

from bench.identity.measure import BODY, Caller, bare, cost
from bench.identity.report import markdown
from bench.identity.targets import ASYMMETRIC, SYMMETRIC, api_key_headers, issuer, session_headers
from bench.machine import machine
from bench.processes import AMPLE, redis_ready, redis_server
from chains.registry import REGISTRY
from gatehouse.cli.database import brought_up_to_date
from gatehouse.lifespan import tune_garbage_collection
from gatehouse.lifespan.services import open_services
from gatehouse.main import PATHS, create_app
from gatehouse.registry.loading import load_registry
from gatehouse.services import Services
from gatehouse.settings import Settings
from gatehouse.telemetry.logs import configure_logging
from gatehouse.telemetry.telemetry import Telemetry
from gatehouse.web.middleware.authenticate import Authenticate
from gatehouse.web.middleware.limit import Limit

RESULTS = Path(__file__).parents[1] / "results"
INVOKES = 10  # of an /invoke there are so many times fewer
Found = defaultdict[str, list[dict[str, float]]]


def main() -> None:
    arguments = parsed()
    configure_logging("warning", pretty=False)
    requests, rounds = (200, 1) if arguments.quick else (arguments.requests, arguments.rounds)
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        found = uvloop.run(measured(Path(folder), requests, rounds))
    facts = machine()
    how = (
        f"Medians of {rounds} interleaved rounds of {requests} requests, one after the other and then from "
        "eight askers at once, through the ASGI layers in one process; CPU is that process's, user and "
        "system. A real Redis; SQLite."
    )
    medians = {
        name: {what: median(row[what] for row in rows) for what in rows[0]} for name, rows in found.items()
    }
    text = markdown(medians, facts, how)
    sys.stdout.write(text)
    if arguments.write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "identity.md").write_text(text)
        everything = {**facts, "how": how, "medians": medians, "rounds": found}
        (RESULTS / "identity.json").write_text(json.dumps(everything, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.identity", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that it works; the numbers mean little")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--write", action="store_true", help="write bench/results/identity.md and .json")
    return parser.parse_args()


async def measured(folder: Path, requests: int, rounds: int) -> Found:
    """Return what every round found for each target. Rounds are interleaved, so that a drift hits all."""
    found: Found = defaultdict(list)
    redis = redis_server(folder)
    redis.start()
    try:
        await redis_ready(redis)
        url = f"redis://127.0.0.1:{redis.port}/0"
        for _ in range(rounds):
            for algorithm in (SYMMETRIC, *ASYMMETRIC):
                async with opened(folder, url, algorithm) as (services, settings, token):
                    for name, caller in (await callers(services, settings, algorithm, token)).items():
                        count = requests // INVOKES if caller.body else requests
                        found[name].append(await cost(caller, count))
    finally:
        redis.kill()
    return found


@asynccontextmanager
async def opened(
    folder: Path, redis_url: str, algorithm: str
) -> AsyncIterator[tuple[Services, Settings, str]]:
    """Yield the services of a server that takes tokens of this algorithm, and such a token."""
    signer = issuer(algorithm, folder)
    settings = Settings(
        _env_file=None, data_dir=folder / "data", model="scripted", redis_url=redis_url,
        plans=json.loads(AMPLE), **signer.settings,
    )  # fmt: skip
    await brought_up_to_date(settings)
    async with open_services(settings, load_registry(REGISTRY), Telemetry.of(settings)) as services:
        tune_garbage_collection()
        yield services, settings, signer.token()


async def callers(services: Services, settings: Settings, algorithm: str, token: str) -> dict[str, Caller]:
    """Return who asks what: each credential with and without limits; one of them also a whole /invoke."""
    bearer = {"authorization": f"Bearer {token}"}
    credentials = {f"JWT {algorithm}": bearer}
    if algorithm == SYMMETRIC:
        credentials["API key"] = await api_key_headers(services)
        credentials["session"] = await session_headers(services, token)
    authenticated = Authenticate(bare, PATHS.public)
    limited = Authenticate(Limit(bare, PATHS), PATHS.public)
    found = {}
    for name, headers in credentials.items():
        found[name] = Caller(authenticated, services, headers)
        found[f"{name}, limits"] = Caller(limited, services, headers)
    if algorithm == SYMMETRIC:
        found["nobody"] = Caller(authenticated, services, path="/livez")
        app = create_app(settings)
        found["invoke"] = Caller(app, services, bearer, "POST", "/chat/invoke", BODY)
    return found


if __name__ == "__main__":
    main()
