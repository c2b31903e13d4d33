"""The manifest of requirements and the tests that carry their ids: neither has what the other has not."""

import re
import tomllib
from pathlib import Path

TESTS = Path(__file__).parent
MARK = re.compile(r'pytest\.mark\.requirement\("([^"]+)"\)')
REQUIREMENTS = tomllib.loads((TESTS / "requirements.toml").read_text())


def proven() -> set[str]:
    """Return the ids that tests carry."""
    return {found for path in TESTS.rglob("test_*.py") for found in MARK.findall(path.read_text())}


def test_every_requirement_is_proven_by_a_test() -> None:
    assert REQUIREMENTS.keys() - proven() == set()


def test_no_test_proves_what_is_not_required() -> None:
    assert proven() - REQUIREMENTS.keys() == set()


def test_each_says_where_it_is_specified_and_what_is_done() -> None:
    for name, requirement in REQUIREMENTS.items():
        assert {"specified", "does"} <= requirement.keys() <= {"specified", "does", "differs"}, name
