"""`gatehouse serve` in this process, beside a task that measures how late the event loop is.

The product has no such task and no route for it: this program starts the same server as the command does, and
writes a line of JSON into a file for every so many seconds.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from bench.lateness import lateness, percentile
from gatehouse.process.listening import listen
from gatehouse.process.server import run_one
from gatehouse.services import Services
from gatehouse.settings import Settings

EVERY = 5.0  # seconds that a line is about


def main() -> None:
    settings = Settings()
    samples = Path(sys.argv[1])
    sampling: list[asyncio.Task[None]] = []

    async def announce(services: Services) -> None:
        sampling.append(asyncio.create_task(sample(services, samples), name="lag sampler"))

    with listen(settings.host, settings.port) as listener:
        run_one(settings, listener, announce)


async def sample(services: Services, path: Path) -> None:
    """Write lines until cancelled: lateness in ms, and how much there is of what could leak."""
    while True:
        late = [one.wall for one in await lateness(EVERY)]
        line = {
            "at": time.time(),
            "lag_p50_ms": percentile(late, 0.5),
            "lag_p99_ms": percentile(late, 0.99),
            "lag_max_ms": max(late),
            "lags_ms": [round(each, 1) for each in late],
            "tasks": len(asyncio.all_tasks()),
            "runs": len(services.runs.local),
        }
        with path.open("a") as file:  # one short write in five seconds
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
