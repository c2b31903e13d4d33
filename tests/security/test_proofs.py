"""What is said to be proven is proven by a test that is there."""

import re
from pathlib import Path

import pytest
from proofs import CASES, REQUIREMENTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("line", [*REQUIREMENTS, *CASES])
def test_every_proof_is_there(line: str) -> None:
    proofs = {**REQUIREMENTS, **CASES}[line]
    assert proofs
    for proof in proofs:
        file, name = proof.split("::")
        assert re.search(rf"^ *(?:class|(?:async )?def) {name}\b", (ROOT / file).read_text(), re.MULTILINE), (
            proof
        )
