"""What logs call a user."""

from gatehouse.identity.principal import Principal
from gatehouse.settings import Settings
from gatehouse.telemetry.pseudonyms import Pseudonyms


def principal(tenant: str, user: str) -> Principal:
    return Principal(tenant, user, "", frozenset(), "jwt", "1")


ALICE = principal("acme", "alice")


def test_is_the_same_on_every_replica_and_another_with_another_pepper() -> None:
    assert Pseudonyms(b"p" * 32).of(ALICE) == Pseudonyms(b"p" * 32).of(ALICE)
    assert Pseudonyms(b"p" * 32).of(ALICE) != Pseudonyms(b"q" * 32).of(ALICE)


def test_is_of_one_user_of_one_tenant() -> None:
    pseudonyms = Pseudonyms(b"p" * 32)
    others = [principal("beta", "alice"), principal("acme", "bob"), principal("ac", "mealice")]
    assert len({pseudonyms.of(other) for other in (ALICE, *others)}) == 4


def test_tells_nothing_of_the_name() -> None:
    fields = Pseudonyms(b"p" * 32).fields(ALICE)
    assert fields["tenant"] == "acme"
    assert len(fields["user"]) == 16
    assert "alice" not in fields["user"]


def test_takes_the_newest_pepper() -> None:
    new, old = "n" * 32, "o" * 32
    rotated = Settings(_env_file=None, api_key_pepper=f"2:{new},1:{old}")
    assert Pseudonyms.from_settings(rotated).of(ALICE) == Pseudonyms(new.encode()).of(ALICE)
