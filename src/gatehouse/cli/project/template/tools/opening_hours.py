"""When the caller's office is open."""

from typing import Annotated, Literal

from gatehouse import as_json, caller_of
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException, tool
from pydantic import Field

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

# by tenant: those of the two users whom a development server makes keys for
OFFICES: dict[str, dict[Day, str]] = {
    "acme": {"monday": "9 to 17", "wednesday": "9 to 17", "saturday": "10 to 13"},
    "beta": {"tuesday": "8 to 12", "thursday": "14 to 19"},
}


@tool
async def opening_hours(
    day: Annotated[Day, Field(description="day of the week")], config: RunnableConfig
) -> str:
    """When the office of the user who asks is open on a day of the week."""
    caller = caller_of(config)  # verified, and not the model's to choose
    if caller.tenant_id not in OFFICES:
        raise ToolException("No office is known for this user.")
    return as_json(day=day, hours=OFFICES[caller.tenant_id].get(day, "closed"))
