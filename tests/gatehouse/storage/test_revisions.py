"""Which revision is the newest, as the files of the migrations say."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from migrated_databases import SCHEMAS

from gatehouse.storage.revisions import is_newest, newest_of
from gatehouse.storage.schema import Schema, config_of

FIRST = "revision = '0001'\ndown_revision = None\n"
SECOND = 'revision: str = "0002"  # the newest\ndown_revision: str | None = "0001"\n'


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.version_table)
def test_is_what_alembic_says(schema: Schema) -> None:
    head = ScriptDirectory.from_config(config_of(schema)).get_current_head()
    assert is_newest(schema.versions, head)
    assert not is_newest(schema.versions, None)
    assert not is_newest(schema.versions, "0001") or head == "0001"


def test_is_the_one_that_none_follows(tmp_path: Path) -> None:
    files = {"__init__.py": "", "b.py": FIRST, "a.py": SECOND}
    assert newest_of(written(tmp_path, files)) == "0002"


@pytest.mark.parametrize(
    "other",
    [
        "revision = '0003'\ndown_revision = '0001'\n",
        "revision = '0003'\ndown_revision = ('0001',\n    '0002')\n",
        "revision = NAME\ndown_revision = '0002'\n",
        "revision = '0003'\ndown_revision = '0002'\nrevision = '0004'\n",
        "",
    ],
    ids=["two of them", "a merge", "an expression", "said twice", "nothing"],
)
def test_is_not_guessed(tmp_path: Path, other: str) -> None:
    files = {"a.py": FIRST, "b.py": SECOND, "c.py": other}
    assert newest_of(written(tmp_path, files)) is None
