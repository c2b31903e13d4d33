"""Return on investment of two amounts."""

import math
from typing import Annotated

from langchain_core.tools import ToolException, tool
from pydantic import Field

from gatehouse import as_json

SMALLEST, LARGEST = 0.01, 1e15


@tool
def calculate_roi(
    initial: Annotated[float, Field(description="amount invested, greater than 0")],
    final: Annotated[float, Field(description="value at the end, in the same currency")],
) -> str:
    """Return on investment in percent: how much `final` is above or below `initial`."""
    if not (math.isfinite(initial) and math.isfinite(final)):
        raise ToolException("initial and final must be finite numbers. Ask the user for the amounts.")
    if initial <= 0:
        raise ToolException("initial must be greater than 0: there is no return on an investment of nothing.")
    if initial < SMALLEST or max(initial, abs(final)) > LARGEST:
        raise ToolException("The amounts must lie between 0.01 and 10^15. Check their units.")
    change = final - initial
    return as_json(initial=initial, final=final, change=change, roi_percent=change / initial * 100)
