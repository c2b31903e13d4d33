"""The chaos test as a program: `make chaos`, or `python -m tests.chaos --help`."""

import argparse
import sys

from tests.chaos.experiment import Experiment, conduct
from tests.chaos.report import conducted


def main() -> int:
    """Run the experiment; return 1 when anything was not as promised."""
    arguments = parsed()
    plan = Experiment(
        seed=arguments.seed,
        runs=arguments.runs,
        tokens=arguments.tokens,
        delay=arguments.delay,
        concurrency=arguments.concurrency,
        lease=arguments.lease,
        max_attempts=arguments.max_attempts,
    )
    return conducted("Chaos test", how(plan), plan, conduct, "chaos", write=arguments.write)


def parsed() -> argparse.Namespace:
    default = Experiment()
    parser = argparse.ArgumentParser(description="Kills and pauses replicas under runs that clients follow.")
    parser.add_argument("--seed", type=int, default=default.seed, help="of what happens to whom, and when")
    parser.add_argument("--runs", type=int, default=default.runs)
    parser.add_argument("--tokens", type=int, default=default.tokens, help="of each run")
    parser.add_argument("--delay", type=float, default=default.delay, help="seconds between tokens")
    parser.add_argument("--concurrency", type=int, default=default.concurrency, help="runs at once")
    parser.add_argument("--lease", type=float, default=default.lease, help="GATEHOUSE_RUN_LEASE")
    parser.add_argument("--max-attempts", type=int, default=default.max_attempts)
    parser.add_argument("--write", action="store_true", help="write bench/results/chaos.md and chaos.json")
    return parser.parse_args()


def how(plan: Experiment) -> str:
    return (
        f"{plan.replicas} Gatehouse processes over one Redis and one PostgreSQL. {plan.runs} runs of "
        f"{plan.tokens} tokens, {plan.concurrency} at once, a token every {1000 * plan.delay:.0f} ms. Each "
        "run has a client that starts it at a random replica, drops its connection at random moments, "
        "joins again at a random replica, dead or alive, until it has seen `end`, and then reads the run "
        "once more from its start, and its state. Meanwhile processes are killed with `kill -9` and "
        "started again, or stopped for longer than their lease and woken up. "
        f"Seed {plan.seed}, lease {plan.lease} s, at most {plan.max_attempts} attempts at a run, a log of "
        f"{plan.log_length} events."
    )


if __name__ == "__main__":
    sys.exit(main())
