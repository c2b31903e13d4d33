"""Values that a message names in plain words: the embedded model is too small to copy them without slips."""

import json
from pathlib import Path

_FILE = Path(__file__).with_name("words.json")
WORDS: dict[str, list[str]] = {kind: words.split() for kind, words in json.loads(_FILE.read_text()).items()}
