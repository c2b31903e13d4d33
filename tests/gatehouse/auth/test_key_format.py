import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.auth.api_keys.format import BASE62, KeyText

KEY = KeyText("dev", "k3yIdOf16Letters", "aSecretOf32CharactersIsLongEnoug")


class TestKeyText:
    def test_is_read_as_it_was_written(self) -> None:
        assert KeyText.parse(KEY.text) == KEY

    def test_names_its_environment_and_id(self) -> None:
        assert KeyText.new("live").text.startswith("gh_live_")
        assert f"gh_dev_{KEY.id}_" in KEY.text

    def test_has_at_least_160_bits_of_secret(self) -> None:
        assert len(BASE62) ** len(KEY.secret) > 2**160
        assert KeyText.new("dev").secret != KEY.secret

    def test_keeps_its_secret_out_of_logs(self) -> None:
        assert KEY.secret not in repr(KEY)

    def test_has_a_checksum_that_others_can_compute(self) -> None:
        """CRC-32 of what stands before it, in base62 with digits first: secret scanners verify it."""
        key = KeyText("dev", "0" * 16, "A" * 32)
        assert key.text == "gh_dev_0000000000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0yCwWu"

    @given(position=st.integers(0, len(KEY.text) - 1), replacement=st.sampled_from(BASE62 + "_-é\n "))
    def test_with_one_other_character_is_none(self, position: int, replacement: str) -> None:
        mutated = KEY.text[:position] + replacement + KEY.text[position + 1 :]
        assert mutated == KEY.text or KeyText.parse(mutated) is None

    @pytest.mark.parametrize(
        "text", ["", "gh_", "gh_dev__", KEY.text + "\n", " " + KEY.text, KEY.text[:-1], KEY.body]
    )
    def test_of_another_form_is_none(self, text: str) -> None:
        assert KeyText.parse(text) is None

    @given(st.text())
    def test_of_noise_is_none(self, noise: str) -> None:
        assert KeyText.parse(noise) is None
