"""A config in a path, as LangServe's playground shares it: it counts, and is checked, as that of a body."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import httpx
import pytest
from langchain_core.runnables import (
    ConfigurableField,
    Runnable,
    RunnableConfig,
    RunnableLambda,
    RunnableSerializable,
)
from langserve.lzstring import LZString
from live_app import LiveApp, bearer, serving
from sse_frames import frames_in

from gatehouse import Entry, Parts
from gatehouse.wires.langserve.config_in_path import MOST_CHARACTERS

ATTACK = "</script><script>alert(1)</script>"


def told(_parts: Parts) -> Runnable[Any, Any]:
    """Return what says the config that it got."""

    def tell(_value: Any, config: RunnableConfig) -> dict[str, Any]:
        return {"tags": config.get("tags")}

    return RunnableLambda(tell).with_types(input_type=int)


class Toned(RunnableSerializable[str, str]):
    """Says what it is given, in its tone."""

    tone: Literal["soft", "loud"] = "soft"

    def invoke(self, input: str, config: RunnableConfig | None = None, **_kwargs: Any) -> str:
        return self._call_with_config(str.upper if self.tone == "loud" else str.lower, input, config)


def toned(_parts: Parts) -> Runnable[Any, Any]:
    return Toned().configurable_fields(tone=ConfigurableField(id="tone"))


ENTRIES = [
    Entry("/told", told, "Tells its config.", client_tracing=True),
    Entry("/toned", toned, "Says it in a tone.", configurable=("tone",), input_type=str),
    Entry("/withheld", toned, "Has one tone.", input_type=str),
    Entry("/closed", toned, "Is asked without.", input_type=str, disabled_endpoints=("config_hashes",)),
    Entry("/closed/c/told", told, "Has a path that looks like one with a config."),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("paths"), ENTRIES) as live:
        yield live


@pytest.fixture(scope="module")
def alice(served: LiveApp) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


def hashed(config: Any) -> str:
    """Return a config as LangServe's clients compress it."""
    compressed: str = LZString.compressToEncodedURIComponent(json.dumps(config))  # type: ignore[no-untyped-call]
    return compressed


LOUD = hashed({"configurable": {"tone": "loud"}})


class TestRuns:
    def test_are_configured_by_it(self, alice: httpx.Client) -> None:
        assert alice.post(f"/toned/c/{LOUD}/invoke", json={"input": "Hi"}).json()["output"] == "HI"
        answer = alice.post(f"/toned/c/{LOUD}/batch", json={"inputs": ["Hi", "Ho"]})
        assert answer.json()["output"] == ["HI", "HO"]

    @pytest.mark.parametrize("endpoint", ["stream", "stream_log", "stream_events"])
    def test_are_streamed(self, alice: httpx.Client, endpoint: str) -> None:
        answer = alice.post(f"/toned/c/{LOUD}/{endpoint}", json={"input": "Hi"})
        assert '"HI"' in answer.text
        assert frames_in(answer.text)[-1].event == "end"
        assert answer.headers["x-run-id"]

    def test_have_the_tags_of_both_and_the_body_s_values(self, alice: httpx.Client) -> None:
        path = f"/told/c/{hashed({'tags': ['test']})}"
        answer = alice.post(f"{path}/invoke", json={"input": 1, "config": {"tags": ["another-one"]}})
        assert answer.json()["output"]["tags"] == ["another-one", "test"]
        soft = {"configurable": {"tone": "soft"}}
        answer = alice.post(f"/toned/c/{LOUD}/batch", json={"inputs": ["Hi", "Ho"], "config": [soft, {}]})
        assert answer.json()["output"] == ["hi", "HO"]

    @pytest.mark.parametrize("field", ["tone", "user_id", "portfolio_id"])
    def test_refuse_what_a_body_may_not_say_either(self, alice: httpx.Client, field: str) -> None:
        path = f"/withheld/c/{hashed({'configurable': {field: 'loud'}})}"
        assert alice.post(f"{path}/invoke", json={"input": "Hi"}).status_code == 422
        assert alice.get(f"{path}/input_schema").status_code == 422

    def test_of_others_threads_are_not_found(self, served: LiveApp, alice: httpx.Client) -> None:
        thread_id = alice.post("/api/chat", json={"query": "Hi", "runnable": "toned"}).json()["thread_id"]
        path = f"/toned/c/{hashed({'configurable': {'thread_id': thread_id}})}/invoke"
        with served.client(bearer("bob")) as bob:
            assert bob.post(path, json={"input": "Hi"}).status_code == 404

    def test_are_charged_and_need_a_credential(self, served: LiveApp) -> None:
        with served.client({}) as nobody:
            assert nobody.post(f"/toned/c/{LOUD}/invoke", json={"input": "Hi"}).status_code == 401
        with served.client(bearer(scopes=["runnable:told"])) as another:
            assert another.post(f"/toned/c/{LOUD}/invoke", json={"input": "Hi"}).status_code == 403


class TestPages:
    def test_are_those_of_the_entry(self, alice: httpx.Client) -> None:
        for page in ("input_schema", "output_schema", "config_schema", "playground/"):
            plain, configured = alice.get(f"/toned/{page}"), alice.get(f"/toned/c/{LOUD}/{page}")
            assert (configured.status_code, configured.text) == (200, plain.text)
            policy = "content-security-policy"
            assert configured.headers[policy] == plain.headers[policy]

    def test_hold_nothing_of_a_client_s_text(self, alice: httpx.Client) -> None:
        path = f"/told/c/{hashed({'tags': [ATTACK], 'metadata': {ATTACK: ATTACK}})}"
        assert "alert(1)" not in alice.get(f"{path}/playground/").text


class TestRefusals:
    @pytest.mark.parametrize(
        "config_hash",
        ["1234", "%00", "Q", "-", "é", "A" * (MOST_CHARACTERS + 1), hashed("a" * 4_000_000)],
    )
    def test_of_what_is_no_config_s_hash_are_a_bad_request(
        self, alice: httpx.Client, config_hash: str
    ) -> None:
        assert alice.post(f"/toned/c/{config_hash}/invoke", json={"input": "Hi"}).status_code == 400
        assert alice.get(f"/toned/c/{config_hash}/input_schema").status_code == 400

    @pytest.mark.parametrize(
        "config", [5, [], {"tags": 1}, {"metadata": {"lc": 1}}, {"configurable": {"tone": "none"}}]
    )
    def test_of_faulty_configs_name_what_is_wrong(self, alice: httpx.Client, config: Any) -> None:
        answer = alice.post(f"/toned/c/{hashed(config)}/invoke", json={"input": "Hi"})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"

    def test_of_an_entry_that_takes_none_are_not_found(self, alice: httpx.Client) -> None:
        assert alice.post(f"/closed/c/{LOUD}/invoke", json={"input": "Hi"}).status_code == 404
        assert alice.get(f"/closed/c/{LOUD}/playground/").status_code == 404

    def test_are_not_of_an_entry_whose_path_looks_like_one(self, alice: httpx.Client) -> None:
        assert alice.post("/closed/c/told/invoke", json={"input": 1}).status_code == 200

    @pytest.mark.parametrize("path", ["/toned/c/", "/toned/c", f"/toned/c/{LOUD}", "/c/x/invoke"])
    def test_of_paths_of_nothing_are_not_found(self, alice: httpx.Client, path: str) -> None:
        assert alice.get(path).status_code == 404
