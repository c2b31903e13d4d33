"""What options take, and what they refuse."""

from datetime import timedelta

import pytest
import typer

from gatehouse.cli import parsing


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("30d", 2_592_000), ("12h", 43_200), ("90m", 5_400), ("45s", 45), ("0s", 0), ("3650d", 315_360_000)],
    )
    def test_is_a_number_and_a_unit(self, text: str, seconds: int) -> None:
        assert parsing.duration(text) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(
        "text",
        ["", "30", "d", "-1d", "1.5h", "1h30m", "1 h", "30D", "1w", "3651d", "999999999d", "٣d\n", "1d\n"],
    )
    def test_anything_else_is_refused_with_examples(self, text: str) -> None:
        with pytest.raises(typer.BadParameter, match="such as 30d, 12h, 90m or 45s"):
            parsing.duration(text)

    def test_a_lifetime_is_not_zero(self) -> None:
        assert parsing.lifetime("1s") == timedelta(seconds=1)
        with pytest.raises(typer.BadParameter, match="over at once"):
            parsing.lifetime("0d")


class TestScopes:
    def test_are_what_a_token_can_carry(self) -> None:
        assert parsing.scopes(["runnable:chat", "*"]) == ["runnable:chat", "*"]

    @pytest.mark.parametrize("scope", ["", "a b", 'a"', "a\\b", "ä", "a\n"])
    def test_others_are_refused(self, scope: str) -> None:
        with pytest.raises(typer.BadParameter, match="is no scope"):
            parsing.scopes(["*", scope])


class TestClaims:
    def test_are_names_and_values(self) -> None:
        assert parsing.claims(["portfolio_id=a=b", "desk=fx 1"]) == {"portfolio_id": "a=b", "desk": "fx 1"}

    @pytest.mark.parametrize("text", ["", "portfolio_id", "portfolio_id=", "=x", "__run=x", "A=x", "a=\x00"])
    def test_others_are_refused(self, text: str) -> None:
        with pytest.raises(typer.BadParameter, match="is no claim"):
            parsing.claims([text])

    @pytest.mark.parametrize(
        "name",
        [
            *("user_id", "tenant_id", "scopes", "thread_id", "name", "scope"),
            *("aud", "exp", "iat", "iss", "jti", "nbf", "sub"),  # RFC 7519 section 4.1
        ],
    )
    def test_what_the_server_sets_cannot_be_claimed(self, name: str) -> None:
        with pytest.raises(typer.BadParameter, match=f"{name} is set by Gatehouse itself"):
            parsing.claims([f"{name}=x"])


class TestNames:
    @pytest.mark.parametrize("text", ["", "a\nb", "x" * 256])
    def test_a_name_is_printable_and_of_bounded_length(self, text: str) -> None:
        assert parsing.name("Zoë 1") == "Zoë 1"
        with pytest.raises(typer.BadParameter, match="1 to 255 printable characters"):
            parsing.name(text)

    @pytest.mark.parametrize("text", ["", "Gold", "a b", "x" * 65])
    def test_a_plan_is_a_short_word(self, text: str) -> None:
        assert parsing.plan("gold-2") == "gold-2"
        with pytest.raises(typer.BadParameter, match="is no plan"):
            parsing.plan(text)
