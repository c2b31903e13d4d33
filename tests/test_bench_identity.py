"""`make bench` of identity and limits, in small: that it runs, and asks Redis once for what a request is limited by."""

from pathlib import Path

import pytest

from bench.identity import __main__ as identity

CREDENTIALS = ("JWT HS256", "JWT RS256", "JWT ES256", "JWT EdDSA", "API key", "session")


@pytest.mark.filterwarnings(
    "ignore:Accessing the 'model_fields' attribute on the instance is deprecated"
)  # LangServe
async def test_asks_with_every_credential_with_and_without_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "tune_garbage_collection", lambda: None)  # of this process
    found = await identity.measured(tmp_path, requests=80, rounds=1)
    limited = {f"{credential}, limits" for credential in CREDENTIALS}
    assert found.keys() == {*CREDENTIALS, *limited, "nobody", "invoke"}
    assert {round(row["redis_round_trips"]) for name in limited for row in found[name]} == {1}
