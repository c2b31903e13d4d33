"""Faults of a Redis Cluster as a program: part of `make chaos`, or `python -m tests.chaos.cluster --help`."""

import argparse
import sys

from tests.chaos.cluster.experiment import ClusterFaults, conduct
from tests.chaos.report import conducted


def main() -> int:
    """Run the experiment; return 1 when anything was not as promised."""
    default = ClusterFaults()
    parser = argparse.ArgumentParser(
        description="Kills and replaces a cluster's servers, and moves its slots."
    )
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--streams", type=int, default=default.streams, help="at once")
    parser.add_argument("--rounds", type=int, default=default.rounds)
    parser.add_argument("--write", action="store_true", help="write bench/results/cluster.md and .json")
    given = parser.parse_args()
    plan = ClusterFaults(seed=given.seed, streams=given.streams, rounds=given.rounds)
    return conducted("Faults of a Redis Cluster", how(plan), plan, conduct, "cluster", write=given.write)


def how(plan: ClusterFaults) -> str:
    return (
        f"{plan.replicas} Gatehouse processes over a PostgreSQL and a cluster of three primaries with a replica each (Valkey), and "
        f"{plan.streams} clients at once, each of which starts a run of {plan.tokens} tokens, a token every "
        f"{1000 * plan.delay:.0f} ms, drops its connection at random moments, joins again at a random process, and "
        f"reads the run once more when it has ended. Meanwhile, {plan.rounds} times: a replica takes its primary's "
        "place in order (CLUSTER FAILOVER), a primary is killed with `kill -9` and comes back as a replica, and a "
        "third of the slots of a primary that hold runs are moved to another key by key (MIGRATE). "
        f"Seed {plan.seed}, lease {plan.lease} s."
    )


if __name__ == "__main__":
    sys.exit(main())
