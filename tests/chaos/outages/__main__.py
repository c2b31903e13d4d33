"""The outages as a program: part of `make chaos`, or `python -m tests.chaos.outages --help`."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.chaos.outages.experiment import TOKENS, Outages, conduct
from tests.chaos.outages.faults import FAULTS
from tests.chaos.report import report, say


def main() -> int:
    """Run the experiment; return 1 when anything was not as promised."""
    plan, write = parsed()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-outages-"))
    say(f"The servers' logs are in {folder}.")
    found = asyncio.run(conduct(plan, folder, say))
    report("Outages", how(plan), plan, found, "outages" if write else None)
    return 0 if found.right else 1


def parsed() -> tuple[Outages, bool]:
    default = Outages()
    parser = argparse.ArgumentParser(description="Takes Redis, PostgreSQL and replicas away under runs.")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--rounds", type=int, default=default.rounds)
    parser.add_argument("--runs", type=int, default=default.runs, help="that one fault hits in a round")
    parser.add_argument("--leavers", type=int, default=default.leavers, help="in a round")
    parser.add_argument("--only", type=int, action="append", help="number of a fault, of those in faults.py")
    parser.add_argument("--write", action="store_true", help="write bench/results/outages.md and .json")
    given = parser.parse_args()
    faults = tuple(FAULTS[number] for number in given.only) if given.only is not None else FAULTS
    return Outages(given.seed, given.rounds, given.runs, given.leavers, faults=faults), given.write


def how(plan: Outages) -> str:
    return (
        f"{plan.replicas} Gatehouse processes over one PostgreSQL and a Redis with a standby behind one address. "
        f"In each of {plan.rounds} rounds every fault hits {plan.runs} runs of {TOKENS} tokens, half of them of an "
        "agent that pays once. Each run has a client with an Idempotency-Key that drops its connection at "
        "random moments and joins again at a random replica; it reads the run to its end, once more from its "
        "start, and its state. After each fault are counted: what was executed and paid for each question, the "
        "places held in the limits, what is in the threads; at the end the checkpoints. Then "
        f"{plan.leavers} clients ask and abort. Seed {plan.seed}, lease {plan.lease} s."
    )


if __name__ == "__main__":
    sys.exit(main())
