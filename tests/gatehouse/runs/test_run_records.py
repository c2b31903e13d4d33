"""A run as Redis keeps it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from run_replicas import ALICE, BOB

from gatehouse.identity.principal import Principal
from gatehouse.runs.events import Cursor, Usage
from gatehouse.runs.records import RunRecord, State, load, run_key

texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
runs = st.builds(
    RunRecord,
    id=st.uuids().map(str),
    principal=st.builds(
        Principal,
        tenant_id=texts, user_id=texts, name=texts, scopes=st.frozensets(texts, max_size=3),
        credential=st.sampled_from(["jwt", "api_key", "session"]), credential_id=texts,
        expires_at=st.none() | st.floats(0, 1e11), claims=st.dictionaries(texts, plain, max_size=2),
    ),
    runnable=texts,
    input=st.dictionaries(texts, plain, max_size=3),
    thread_id=st.none() | st.uuids().map(str),
    created_at=st.floats(0, 1e11),
    deadline=st.floats(0, 1e11),
    grace=st.floats(0, 1e6),
    state=st.sampled_from(["running", "completed", "failed", "cancelled"]),
    attempt=st.integers(1, 99),
    cancel=st.sampled_from(["", "cancelled"]),
    text=texts,
    text_cursor=st.builds(Cursor, st.integers(0, 99), st.integers(0, 10**9)),
    usage=st.builds(Usage, *[st.integers(0, 10**9)] * 3),
    problem=st.none() | st.dictionaries(texts, plain, max_size=3),
    duration_ms=st.integers(0, 10**9),
)  # fmt: skip


def as_redis_answers(fields: dict[Any, Any]) -> dict[bytes, bytes]:
    return {
        str(name).encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in fields.items()
    }


class TestFields:
    @given(runs)
    def test_are_read_as_they_were_written(self, run: RunRecord) -> None:
        assert RunRecord.of(as_redis_answers(run.fields())) == run

    async def test_survive_redis(self, redis: Redis) -> None:
        run = RunRecord(
            id="r", principal=ALICE, runnable="/chat", input={"input": "né \x00"}, thread_id=None,
            created_at=1.25, deadline=2.5, grace=0,
        )  # fmt: skip
        await redis.hset(run_key("r"), mapping=run.fields())
        assert await load(redis, "r") == run

    async def test_of_no_run_are_none(self, redis: Redis) -> None:
        assert await load(redis, "r") is None


class TestLastEvent:
    @pytest.mark.parametrize(
        ("state", "sequence"), [("running", 7), ("cancelled", 8), ("completed", 9), ("failed", 9)]
    )
    def test_counts_the_events_of_the_end(self, state: State, sequence: int) -> None:
        run = RunRecord(
            id="r", principal=BOB, runnable="/chat", input={}, thread_id=None, created_at=1, deadline=2, grace=0,
            state=state, text_cursor=Cursor(2, 7),
        )  # fmt: skip
        assert run.last_event == Cursor(2, sequence)
        assert run.finished is (state != "running")
