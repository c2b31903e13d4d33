"""What is said to be proven is proven by a test that is there."""

import re
from pathlib import Path

import pytest
from audit_findings import FINDINGS, RELATIVES, UNSEEN
from proofs import CASES, REQUIREMENTS

ROOT = Path(__file__).parents[2]


PROVEN = {**REQUIREMENTS, **CASES, **FINDINGS, **RELATIVES, **UNSEEN}


@pytest.mark.parametrize("line", PROVEN)
def test_every_proof_is_there(line: str) -> None:
    proofs = PROVEN[line]
    assert proofs
    for proof in proofs:
        file, name = proof.split("::")
        assert re.search(rf"^ *(?:class|(?:async )?def) {name}\b", (ROOT / file).read_text(), re.MULTILINE), (
            proof
        )
