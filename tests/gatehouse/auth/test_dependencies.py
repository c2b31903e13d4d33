from gatehouse.main import PATHS, create_app
from gatehouse.settings import Settings


class TestOpenApi:
    def test_offers_each_credential_as_an_alternative_where_one_is_needed(self) -> None:
        document = create_app(Settings(_env_file=None)).openapi()
        open_to_all = set()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if "security" in operation:
                    assert operation["security"] == [{"token": []}, {"api_key": []}, {"session": []}]
                else:
                    open_to_all.add((method.upper(), path))
        assert open_to_all <= PATHS.public
        assert ("POST", "/chat/stream") not in open_to_all
        assert ("GET", "/livez") in open_to_all
        assert document["components"]["securitySchemes"] == {
            "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            "session": {"type": "apiKey", "in": "cookie", "name": "__Host-gatehouse"},
        }
