from fastapi import Depends, FastAPI

from app.auth.dependencies import CurrentPrincipal, requires


class TestOpenApi:
    def test_offers_each_credential_as_an_alternative(self) -> None:
        app = FastAPI()

        @app.get("/agent", dependencies=[Depends(requires("runnable:agent"))])
        async def agent(principal: CurrentPrincipal) -> None: ...

        document = app.openapi()
        assert document["paths"]["/agent"]["get"]["security"] == [
            {"token": []},
            {"api_key": []},
            {"session": []},
        ]
        schemes = document["components"]["securitySchemes"]
        assert schemes["token"] == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        assert schemes["api_key"] == {"type": "apiKey", "in": "header", "name": "x-api-key"}
        assert schemes["session"] == {"type": "apiKey", "in": "cookie", "name": "__Host-gatehouse"}
