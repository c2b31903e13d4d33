import pytest

from gatehouse.auth.api_keys.format import KeyText
from gatehouse.auth.api_keys.peppers import Peppers
from gatehouse.auth.configuration import BadConfiguration

ONE, TWO = (
    "first pepper of more than thirty-two bytes",
    "second pepper, of more than 32 bytes: it has a colon",
)
KEY = KeyText.new("dev")


class TestPeppers:
    def test_of_a_plain_secret_are_version_1(self) -> None:
        peppers = Peppers.parse(ONE)
        assert peppers.current == 1
        assert peppers.hash(KEY, 1) == Peppers.parse(f"1:{ONE}").hash(KEY, 1)

    def test_that_are_rotated_keep_the_old_and_use_the_new(self) -> None:
        peppers = Peppers.parse(f"2:{TWO}, 1:{ONE}")
        assert peppers.current == 2
        assert peppers.hash(KEY, 1) == Peppers.parse(ONE).hash(KEY, 1)
        assert peppers.hash(KEY, 2) != peppers.hash(KEY, 1)

    def test_hash_the_secret_with_its_id(self) -> None:
        peppers = Peppers.parse(ONE)
        assert len(peppers.hash(KEY, 1)) == 32
        assert peppers.hash(KEY, 1) != peppers.hash(KeyText("dev", "x" * 16, KEY.secret), 1)
        assert peppers.hash(KEY, 1) != peppers.hash(KeyText("dev", KEY.id, "x" * 32), 1)

    def test_stay_out_of_logs(self) -> None:
        assert "first pepper" not in repr(Peppers.parse(ONE))

    @pytest.mark.parametrize(
        ("text", "message"),
        [("short", "5 bytes"), ("", "0 bytes"), (f"2:{ONE},1:x", "1 bytes"),
         (f"1:{ONE},1:{ONE}", "two peppers of version 1")],
    )  # fmt: skip
    def test_that_are_weak_or_unclear_are_refused(self, text: str, message: str) -> None:
        with pytest.raises(BadConfiguration, match=message):
            Peppers.parse(text)
