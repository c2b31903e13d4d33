"""The result as Markdown."""

from collections.abc import Mapping
from typing import Any

CREDENTIALS = ("JWT HS256", "JWT RS256", "JWT ES256", "JWT EdDSA", "API key", "session")
TARGET_US = 150


def markdown(medians: Mapping[str, Mapping[str, float]], facts: Mapping[str, Any], how: str) -> str:
    """Return the page of results."""
    nobody, invoke = medians["nobody"]["cpu_us"], medians["invoke"]["cpu_us"]
    lines = [
        "# What identity and limits cost a request",
        "",
        f"{facts['date']}, {facts['machine']}. {how}",
        "",
        "| credential | identity, µs | identity and limits, µs | the same, eight at once "
        "| share of an `/invoke` | Redis round trips |",
        "|---|---|---|---|---|---|",
    ]
    for name in CREDENTIALS:
        identity = medians[name]["cpu_us"] - nobody
        both = medians[f"{name}, limits"]
        added = both["cpu_us"] - nobody
        at_once, trips = both["cpu_us_at_once"] - nobody, both["redis_round_trips"]
        lines.append(
            f"| {name} | {identity:.0f} | {added:.0f} | {at_once:.0f} | {added / invoke:.1%} | {trips:.2f} |"
        )
    trips = medians["invoke"]["redis_round_trips"]
    lines += [
        "",
        f"Added to a request that nobody has to sign in for ({nobody:.0f} µs through the same layers).",
        f"An `/invoke` of the scripted chain, signed in with HS256 and limited, takes {invoke:.0f} µs and",
        f"{trips:.1f} round trips to Redis in all, most of them the run's.",
        f"The target is {TARGET_US} µs and one round trip.",
        "",
    ]
    return "\n".join(lines)
