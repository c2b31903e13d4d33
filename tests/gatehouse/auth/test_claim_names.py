"""Claims under the names that issuers give them, as the settings say."""

from typing import Any

import pytest
from auth_settings import MakeSettings
from signed_tokens import AUDIENCE, DROP, HEADER, ISSUER, SECRET, good_claims, signed
from structlog.testing import capture_logs

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.claim_names import ClaimName, claim_names
from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential

Settings = dict[str, Any]

# Access tokens in the shapes that docs/issuers.md describes
KEYCLOAK: Settings = {
    "claim_tenant_id": "organization",
    "claim_scopes": "resource_access.gatehouse.roles",
    "claim_name": "preferred_username",
}
KEYCLOAK_CLAIMS = {
    "typ": "Bearer",
    "azp": "web",
    "organization": "acme",
    "preferred_username": "alice",
    "resource_access": {"gatehouse": {"roles": ["runnable:chat"]}, "account": {"roles": ["*"]}},
    "scope": "openid profile",
    "tenant_id": DROP,
}
AUTH0: Settings = {"claim_tenant_id": "https://acme.example/tenant", "claim_scopes": "scope,permissions"}
AUTH0_CLAIMS = {
    "aud": [AUDIENCE, "https://acme.eu.auth0.com/userinfo"],
    "https://acme.example/tenant": "acme",
    "scope": "openid runnable:chat",
    "permissions": ["runnable:agent"],
    "tenant_id": DROP,
}
ENTRA: Settings = {"claim_tenant_id": "tid", "claim_user_id": "oid", "claim_scopes": "scp,roles"}
ENTRA_CLAIMS = {
    "tid": "acme",
    "oid": "alice",
    "sub": "pairwise",
    "scp": "runnable:chat",
    "roles": ["runnable:agent"],
    "ver": "2.0",
    "tenant_id": DROP,
    "scope": DROP,
}
COGNITO: Settings = {
    "claim_audience": "client_id",
    "claim_scopes": "scope",
    "scope_prefix": "gatehouse/",
    "tenant_id": "acme",
}
COGNITO_CLAIMS = {
    "aud": DROP,
    "client_id": AUDIENCE,
    "token_use": "access",
    "scope": "openid gatehouse/runnable:chat other/runnable:agent",
    "tenant_id": DROP,
}


@pytest.fixture
def verify(make_settings: MakeSettings) -> Any:
    def verify(settings: Settings, **claims: Any) -> Principal:
        made = make_settings(jwt_secret=SECRET, issuer=ISSUER, audience=AUDIENCE, **settings)
        return JwtVerifier.from_settings(made).verify(signed(HEADER, good_claims(**claims)))

    return verify


class TestIssuer:
    @pytest.mark.parametrize(
        ("settings", "claims", "scopes"),
        [
            pytest.param(KEYCLOAK, KEYCLOAK_CLAIMS, {"runnable:chat"}, id="Keycloak"),
            pytest.param(AUTH0, AUTH0_CLAIMS, {"openid", "runnable:chat", "runnable:agent"}, id="Auth0"),
            pytest.param(ENTRA, ENTRA_CLAIMS, {"runnable:chat", "runnable:agent"}, id="Entra ID"),
            pytest.param(COGNITO, COGNITO_CLAIMS, {"runnable:chat"}, id="Cognito"),
        ],
    )
    def test_s_token_names_its_user(
        self, verify: Any, settings: Settings, claims: dict[str, Any], scopes: set[str]
    ) -> None:
        principal = verify(settings, **claims)
        assert (principal.tenant_id, principal.user_id) == ("acme", "alice")
        assert principal.scopes == scopes

    def test_s_name_plan_and_further_ones_have_their_claims_too(self, verify: Any) -> None:
        names = {"claim_name": "who.called", "claim_plan": "urn:plan", "claims": "portfolio_id=app.portfolio"}
        principal = verify(
            names, **{"who": {"called": "Al"}, "urn:plan": "pro", "app": {"portfolio": "p-1"}, "plan": "no"}
        )
        assert (principal.name, principal.plan, principal.claims) == ("Al", "pro", {"portfolio_id": "p-1"})


class TestTenant:
    def test_that_is_fixed_is_every_token_s(self, verify: Any) -> None:
        assert verify({"tenant_id": "house"}, tenant_id="acme").tenant_id == "house"
        assert verify({"tenant_id": "house"}, tenant_id=DROP).tenant_id == "house"

    @pytest.mark.parametrize("value", [DROP, None, "", 5, ["acme"], {"id": "acme"}])
    def test_that_is_missing_is_no_tenant(self, verify: Any, value: object) -> None:
        with pytest.raises(InvalidCredential):
            verify({"claim_tenant_id": "org.id"}, org={"id": value} if value is not DROP else {})


class TestAudienceClaim:
    @pytest.mark.parametrize("value", [AUDIENCE, [AUDIENCE, "other"]])
    def test_with_our_name_is_accepted(self, verify: Any, value: object) -> None:
        assert verify({"claim_audience": "client_id"}, client_id=value, aud=DROP).user_id == "alice"

    @pytest.mark.parametrize("value", [DROP, "other", "", None, [], {AUDIENCE: 1}, f"{AUDIENCE} other"])
    def test_with_another_name_is_refused_though_aud_is_ours(self, verify: Any, value: object) -> None:
        with pytest.raises(InvalidCredential):
            verify({"claim_audience": "client_id"}, client_id=value)


class TestClaimName:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("sub", ("sub",)),
            ("realm_access.roles", ("realm_access", "roles")),
            ("https://acme.example/tenant.id", ("https://acme.example/tenant.id",)),
            ("custom:tenant.id", ("custom:tenant.id",)),
            ("cognito:groups", ("cognito:groups",)),
            ("acme.example/tenant", ("acme.example/tenant",)),
        ],
    )
    def test_leads_to_its_claim(self, text: str, path: tuple[str, ...]) -> None:
        assert ClaimName.parse(text) == ClaimName(path)

    @pytest.mark.parametrize("claims", [{}, {"a": 1}, {"a": None}, {"a": []}, {"a": {"c": 1}}, {"a.b": 1}])
    def test_of_a_claim_that_is_not_there_finds_nothing(self, claims: dict[str, Any]) -> None:
        assert ClaimName.parse("a.b").value(claims) is None

    @pytest.mark.parametrize("text", ["", ".", "a..b", ".a", "a."])
    @pytest.mark.parametrize("setting", ["claim_tenant_id", "claim_audience"])
    def test_that_names_nothing_is_refused_by_its_setting(
        self, make_settings: MakeSettings, setting: str, text: str
    ) -> None:
        with pytest.raises(BadConfiguration, match=f"GATEHOUSE_{setting.upper()}"):
            claim_names(make_settings(**{setting: text}))

    def test_of_a_tenant_that_is_none_is_refused(self, make_settings: MakeSettings) -> None:
        with pytest.raises(BadConfiguration, match="GATEHOUSE_TENANT_ID"):
            claim_names(make_settings(tenant_id="a" * 300))


class TestUserIdWithoutSub:
    def test_is_the_claim_that_the_operator_names(self, verify: Any) -> None:
        assert verify({"claim_user_id": "user_id"}, sub=DROP, user_id="alice").user_id == "alice"
        assert verify({"claim_user_id": "custom:user"}, sub=DROP, **{"custom:user": "a"}).user_id == "a"

    def test_may_be_the_number_of_a_row(self, verify: Any) -> None:
        assert verify({"claim_user_id": "user_id"}, sub=DROP, user_id=42).user_id == "42"

    @pytest.mark.parametrize("value", [True, -1, 1.5, "", [], {}, "a\x00", 10**300])
    def test_is_refused_when_it_names_nobody(self, verify: Any, value: Any) -> None:
        with pytest.raises(InvalidCredential):
            verify({"claim_user_id": "user_id"}, sub=DROP, user_id=value)

    @pytest.mark.parametrize("sub", ["", 5, None, [], "a\x00"])
    def test_does_not_make_a_bad_sub_good(self, verify: Any, sub: Any) -> None:
        with pytest.raises(InvalidCredential):
            verify({"claim_user_id": "user_id"}, sub=sub, user_id="alice")

    @pytest.mark.parametrize(
        ("settings", "claims", "missing"),
        [
            ({}, {"sub": DROP, "user_id": "alice"}, "sub"),
            ({"claim_user_id": "user_id"}, {"sub": DROP}, "user_id"),
            ({"claim_user_id": "ids.user"}, {"sub": DROP, "ids": {}}, "ids.user"),
            ({"claim_tenant_id": "tid"}, {}, "tid"),
            ({}, {"exp": DROP}, "exp"),
            ({}, {"aud": DROP}, "aud"),
        ],
    )
    def test_the_log_says_which_claim_is_missing(
        self, verify: Any, settings: Settings, claims: dict[str, Any], missing: str
    ) -> None:
        with capture_logs() as logs, pytest.raises(InvalidCredential):
            verify(settings, **claims)
        assert [log["reason"] for log in logs] == [f"the claim {missing} is missing"]
