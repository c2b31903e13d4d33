"""The experiment as a program: `make chaos`, or `python -m tests.chaos.effects --help`."""

import argparse
import sys

from tests.chaos.effects.experiment import Experiment, conduct
from tests.chaos.report import conducted


def main() -> int:
    """Run the experiment; return 1 when anything was not as promised."""
    default = Experiment()
    parser = argparse.ArgumentParser(description="Loses replicas while tools pay.")
    parser.add_argument("--runs", type=int, default=default.runs)
    parser.add_argument("--at-once", type=int, default=default.at_once, help="runs that one fault hits")
    parser.add_argument("--minutes", type=float, help="after which no round begins any more")
    parser.add_argument(
        "--write", action="store_true", help="write bench/results/effects.md and effects.json"
    )
    arguments = parser.parse_args()
    plan = Experiment(runs=arguments.runs, at_once=arguments.at_once, minutes=arguments.minutes)
    return conducted("Effects", how(plan), plan, conduct, "effects", write=arguments.write)


def how(plan: Experiment) -> str:
    return (
        f"{plan.replicas} Gatehouse processes over one Redis and one PostgreSQL, the clock of one "
        f"{plan.ahead / 60:.0f} minutes ahead, and a payment server that counts. Runs of agents that pay, "
        f"{plan.at_once} at once: each stands still at its point, before or after the claim, the payment, or the "
        "record of it; then its replica is killed with `kill -9` and started again, or stopped for two and a half "
        "leases and woken up, after which its runs go on from where they stood. Payments that a person approves "
        "are decided on at two replicas at once: approved by one, by two, by one while another rejects it or "
        "cancels the run, or while it expires; both replicas are lost then, also between the decision and what "
        "follows from it. Or Redis is lost whole while they wait. Or it is "
        "lost together with a replica whose tools are at work: nobody goes on with those runs, and people are asked "
        "about what they have begun. Whoever has decided does so again at the third "
        "replica. Half of the other agents keep checkpoints, half are asked from the start again. Tools that say "
        "nothing of themselves, that are idempotent, that can be checked, and that pay in the server's own "
        f"database. Then each thread is asked another question. Lease {plan.lease} s. Not tried, since it is not "
        "promised: a pause inside of a tool with `check`, between its first step and the payment (docs/effects.md)."
    )


if __name__ == "__main__":
    sys.exit(main())
