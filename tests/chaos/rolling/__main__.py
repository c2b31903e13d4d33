"""The rolling update under load as a program: part of `make chaos`, or `python -m tests.chaos.rolling`."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import report, say
from tests.chaos.rolling.experiment import Rolling, conduct


def main() -> int:
    """Run the experiment; return 1 when anything was not as promised."""
    parser = argparse.ArgumentParser(description="Rolls, kills and cuts off replicas behind nginx.")
    parser.add_argument("--streams", type=int, default=Rolling().streams, help="at once")
    parser.add_argument("--write", action="store_true", help="write bench/results/rolling.md and .json")
    arguments = parser.parse_args()
    plan = Rolling(streams=arguments.streams)
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-rolling-"))
    say(f"The servers' logs are in {folder}.")
    found = asyncio.run(conduct(plan, folder, say))
    report("Rolling update and faults", how(plan), plan, found, "rolling" if arguments.write else None)
    return 0 if found.right else 1


def how(plan: Rolling) -> str:
    return (
        f"nginx with deploy/nginx.conf before {plan.replicas} replicas over one PostgreSQL and one Redis "
        f"(append-only file). {plan.streams} clients, a third each with typed events, a WebSocket and "
        "LangServe's /stream, ask again and again and read every answer to its end: "
        f"{plan.tokens} tokens ({plan.langserve_tokens} over LangServe), one every {1000 * plan.delay:.0f} "
        f"ms. A new request comes every {1000 * plan.newcomer_every:.0f} ms beside them. Meanwhile "
        f"{plan.rolled} replicas are replaced as Kubernetes does it (the new one first, then SIGTERM; nginx "
        "is told when /readyz of the old one is red), one is killed with `kill -9`, Redis is restarted, "
        "PostgreSQL is restarted, and Redis is frozen with SIGSTOP. "
        f"Drain delay {plan.drain_delay:.0f} s, drain {plan.drain_seconds:.0f} s, lease {plan.lease:.0f} s."
    )


if __name__ == "__main__":
    sys.exit(main())
