"""What a tool returns: compact JSON that a model and a UI can both read."""

import json
from datetime import date
from decimal import Decimal
from typing import Any


def as_json(**fields: Any) -> str:
    """Return the fields as compact JSON, in the order given.

    Decimals and floats are rounded to two decimals (half to even), days become YYYY-MM-DD.
    """
    return json.dumps(_plain(fields), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | float):
        return float(f"{value:.2f}") + 0.0  # + 0.0 turns -0.0 into 0.0
    return value
