import jwt
import pytest
from auth_settings import MakeSettings
from signed_tokens import AUDIENCE, ISSUER, SECRET

from gatehouse.auth.tokens.issuing import issue_token
from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.problems.errors import InvalidCredential


@pytest.fixture
def verifier(make_settings: MakeSettings) -> JwtVerifier:
    return JwtVerifier.from_settings(
        make_settings(jwt_secret=SECRET, issuer=ISSUER, audience=AUDIENCE, claims="portfolio_id")
    )


class TestIssueToken:
    def test_is_what_the_server_accepts(self, verifier: JwtVerifier) -> None:
        text = issue_token(
            SECRET, ISSUER, AUDIENCE, "bob", "beta", "Bob", ["b", "a"], 60, {"portfolio_id": "p-1"}
        )
        principal = verifier.verify(text)
        assert (principal.user_id, principal.tenant_id, principal.name) == ("bob", "beta", "Bob")
        assert principal.scopes == {"a", "b"}
        assert principal.claims == {"portfolio_id": "p-1"}
        assert jwt.get_unverified_header(text)["typ"] == "at+jwt"

    def test_has_an_id_of_its_own(self, verifier: JwtVerifier) -> None:
        ids = {
            verifier.verify(issue_token(SECRET, ISSUER, AUDIENCE, "bob", "beta")).credential_id for _ in "ab"
        }
        assert len(ids) == 2

    def test_lives_as_long_as_it_should(self, verifier: JwtVerifier) -> None:
        with pytest.raises(InvalidCredential):
            verifier.verify(issue_token(SECRET, ISSUER, AUDIENCE, "bob", "beta", lifetime=-60))

    def test_is_not_renamed_by_further_claims(self, verifier: JwtVerifier) -> None:
        text = issue_token(
            SECRET, ISSUER, AUDIENCE, "bob", "beta", claims={"sub": "alice", "tenant_id": "acme"}
        )
        assert verifier.verify(text).user_id == "bob"
