"""The API's documentation: complete, and served without a foreign address."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from live_app import LiveApp

from chains.registry import REGISTRY
from gatehouse.main import SHAPES
from gatehouse.registry.checked import checked
from gatehouse.web.error_shapes import PROBLEM, shape_for

RUNNABLES = checked("chains.registry:REGISTRY", REGISTRY).by_name
METHODS = {"get", "post", "put", "patch", "delete"}
PUBLIC = {
    ("get", "/livez"),
    ("get", "/readyz"),
    ("post", "/auth/session"),
    ("get", "/.well-known/oauth-protected-resource"),
    ("get", "/.well-known/oauth-protected-resource/mcp"),
    ("post", "/auth/backchannel-logout"),  # the issuer calls it, with a signed token
}
OTHER_FORMS = {
    "/auth/session": {"text/html"},  # the sign-in page's
    "/mcp": {"application/json"},  # JSON-RPC's
}
STREAMS = ("stream", "stream_log", "stream_events")


@pytest.fixture
def client(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


@pytest.fixture(scope="module")
def document(shared: LiveApp) -> dict[str, Any]:
    with shared.client() as client:
        answer: dict[str, Any] = client.get("/openapi.json").json()
    return answer


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def named(document: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema that a reference names."""
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


class TestPage:
    def test_loads_its_own_assets_only(self, client: httpx.Client) -> None:
        page = client.get("/docs")
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert page.status_code == 200
        assert "docs/swagger-ui-bundle.js" in links
        for link in links:
            assert "//" not in link
            asset = client.get(f"/{link}")
            assert asset.status_code == 200
            assert len(asset.content) > 100

    def test_starts_with_our_own_document(self, client: httpx.Client) -> None:
        script = client.get("/docs/start.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert 'url: "openapi.json"' in script.text
        assert "//" not in script.text

    def test_its_policy_lets_nothing_foreign_in(self, client: httpx.Client) -> None:
        policy = client.get("/docs").headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "script-src" not in policy
        assert "http" not in policy
        # of which default-src says nothing
        assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} <= {*policy.split("; ")}

    @pytest.mark.parametrize(
        "file", ["nothing.js", "..%2f__init__.py", "%2e%2e/core.py", "redoc.standalone.js"]
    )
    def test_serves_no_other_file(self, client: httpx.Client, file: str) -> None:
        response = client.get(f"/docs/{file}")
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/openapi.json"])
    def test_wants_a_credential(self, shared: LiveApp, path: str) -> None:
        with shared.client({}) as client:
            assert client.get(path).status_code == 401

    @pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
    def test_pages_of_fastapi_that_load_from_a_cdn_are_not_there(
        self, client: httpx.Client, path: str
    ) -> None:
        assert client.get(path).status_code == 404


class TestSecurity:
    def test_every_way_to_sign_in_is_there_for_authorize(self, document: dict[str, Any]) -> None:
        schemes = document["components"]["securitySchemes"]
        assert schemes["token"] == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        assert schemes["api_key"] == {"type": "apiKey", "in": "header", "name": "x-api-key"}
        assert schemes["session"]["in"] == "cookie"

    def test_every_operation_but_the_public_ones_refers_to_them(self, document: dict[str, Any]) -> None:
        without = {
            (method, path) for method, path, operation in operations(document) if "security" not in operation
        }
        assert without == PUBLIC
        for method, path, operation in operations(document):
            if (method, path) not in PUBLIC:
                assert {name for scheme in operation["security"] for name in scheme} == {
                    "token",
                    "api_key",
                    "session",
                }
                assert "401" in operation["responses"]


class TestRunnables:
    @pytest.mark.parametrize("name", RUNNABLES)
    @pytest.mark.parametrize("endpoint", ["invoke", "batch", *STREAMS])
    def test_request_bodies_hold_the_runnable_s_input(
        self, document: dict[str, Any], name: str, endpoint: str
    ) -> None:
        operation = document["paths"][f"/{name}/{endpoint}"]["post"]
        body = named(document, operation["requestBody"]["content"]["application/json"]["schema"])
        field = "inputs" if endpoint == "batch" else "input"
        assert field in body["required"]
        schema = body["properties"][field]
        item = named(document, schema["items"] if endpoint == "batch" else schema)
        assert item["required"] == RUNNABLES[name].shape.input_schema.model_json_schema()["required"]

    @pytest.mark.parametrize("name", RUNNABLES)
    @pytest.mark.parametrize("endpoint", ["invoke", "batch"])
    def test_response_bodies_hold_its_output(
        self, document: dict[str, Any], name: str, endpoint: str
    ) -> None:
        answer = document["paths"][f"/{name}/{endpoint}"]["post"]["responses"]["200"]
        body = named(document, answer["content"]["application/json"]["schema"])
        assert {"output", "metadata"} <= set(body["properties"])
        output = body["properties"]["output"]
        item = named(document, output["items"] if endpoint == "batch" else output)
        expected = RUNNABLES[name].shape.output_schema.model_json_schema(mode="serialization")
        if "anyOf" in expected:  # a message, or a piece of one
            expected = expected["$defs"]["AIMessageChunk"]
        assert item["type"] == expected["type"]
        assert item.get("properties", {}).keys() == expected.get("properties", {}).keys()

    @pytest.mark.parametrize("name", RUNNABLES)
    @pytest.mark.parametrize("endpoint", STREAMS)
    def test_streams_are_documented_as_such(self, document: dict[str, Any], name: str, endpoint: str) -> None:
        content = document["paths"][f"/{name}/{endpoint}"]["post"]["responses"]["200"]["content"]
        assert list(content) == ["text/event-stream"]


class TestErrors:
    def test_every_documented_one_is_in_the_form_of_its_wire(self, document: dict[str, Any]) -> None:
        told = set()
        for _, path, operation in operations(document):
            shape = shape_for(path, SHAPES)
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    forms = answer["content"].keys()
                    assert forms - OTHER_FORMS.get(path, set()) <= {shape.media_type}, (path, status)
                    assert forms, (path, status)
                    if shape.media_type in forms:
                        assert answer["content"][shape.media_type]["schema"] == shape.schema, (path, status)
                        told.add(shape.media_type)
        assert told >= {"application/problem+json", "text/plain", "application/json"}
        assert named(document, PROBLEM.schema)["title"] == "Problem"

    def test_no_schema_is_referred_to_that_is_not_there(self, document: dict[str, Any]) -> None:
        referred = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))
        assert referred <= set(document["components"]["schemas"])
        assert "HTTPValidationError" not in document["components"]["schemas"]
