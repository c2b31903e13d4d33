"""The pages and schemas of a runnable, and the routes of LangServe that are not served."""

import re
from typing import Any

import pytest
from live_app import LiveApp, bearer


class TestPlayground:
    @pytest.mark.parametrize("path", ["/chat", "/summarize", "/agent"])
    def test_page_and_assets_are_served_under_the_policy_that_they_need(
        self, shared: LiveApp, path: str
    ) -> None:
        with shared.client() as client:
            page = client.get(f"{path}/playground/")
            assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
            answers = [client.get(asset) for asset in assets]
        assert page.status_code == 200
        assert assets
        assert all(asset.startswith(f"{path}/playground/") for asset in assets)
        assert [answer.status_code for answer in answers] == [200] * len(assets)
        for answer in (page, *answers):
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self' 'unsafe-inline' 'unsafe-eval'" in policy
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy

    @pytest.mark.parametrize("path", ["nothing.js", "assets", "index.html/x", "%00", "a" * 300])
    def test_a_file_that_it_does_not_have_is_a_problem(self, shared: LiveApp, path: str) -> None:
        with shared.client() as client:
            response = client.get(f"/chat/playground/{path}")
        assert response.status_code == 404
        assert response.json()["type"] == "urn:gatehouse:problem:not-found"

    @pytest.mark.parametrize("path", ["../../conftest.py", "%2e%2e/%2e%2e/chat.tsx", "..%2f..%2f__init__.py"])
    def test_it_serves_no_other_file(self, shared: LiveApp, path: str) -> None:
        with shared.client() as client:
            assert client.get(f"/chat/playground/{path}").status_code == 404

    def test_nothing_of_the_address_gets_into_the_page(self, shared: LiveApp) -> None:
        with shared.client() as client:
            plain = client.get("/chat/playground/").text
            assert client.get("/chat/playground/?x=</script><script>alert(1)</script>").text == plain

    @pytest.mark.parametrize("path", ["/", "/docs", "/chat/input_schema", "/chat/playgroundx", "/nowhere"])
    def test_other_pages_have_no_such_exception(self, shared: LiveApp, path: str) -> None:
        with shared.client() as client:
            policy = client.get(path).headers["content-security-policy"]
        assert "unsafe-eval" not in policy
        assert re.search(r"script-src[^;]*unsafe-inline", policy) is None


class TestRoutesThatAreNotServed:
    @pytest.mark.parametrize("route", ["token_feedback", "feedback", "public_trace_link"])
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
    def test_langsmith_s(self, shared: LiveApp, method: str, route: str) -> None:
        with shared.client() as client:
            assert client.request(method, f"/chat/{route}", content=b"{").status_code == 404

    def test_bad_json_for_token_feedback_is_not_answered_before_authentication(self, shared: LiveApp) -> None:
        with shared.client({}) as client:
            assert client.post("/chat/token_feedback", content=b"{").status_code == 401


class TestSchemas:
    def test_input_is_the_entry_s(self, shared: LiveApp) -> None:
        assert schema(shared, "/summarize/input_schema")["required"] == ["text"]
        assert schema(shared, "/chat/input_schema")["required"] == ["input"]

    def test_output_is_the_entry_s(self, shared: LiveApp) -> None:
        assert schema(shared, "/chat/output_schema")["type"] == "string"
        assert set(schema(shared, "/summarize/output_schema")["properties"]) == {
            "title",
            "summary",
            "key_points",
        }

    def test_nothing_is_configurable_by_a_client(self, shared: LiveApp) -> None:
        assert schema(shared, "/agent/config_schema")["properties"] == {}

    @pytest.mark.parametrize("page", ["input_schema", "playground/", "invoke"])
    def test_they_want_a_credential(self, shared: LiveApp, page: str) -> None:
        with shared.client({}) as client:
            assert client.get(f"/chat/{page}").status_code == 401


def schema(live: LiveApp, path: str) -> dict[str, Any]:
    with live.client(bearer()) as client:
        answer: dict[str, Any] = client.get(path).json()
    return answer
