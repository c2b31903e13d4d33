"""What a client's own tools have returned to the calls of a previous response, without the calls themselves.

The same question is asked again in its place, with the calls and what came of them: a thread keeps what was
said, and a call is nothing that was.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gatehouse.identity.principal import Principal
from gatehouse.plain_json import from_json
from gatehouse.services import Services
from gatehouse.threads.of_runs import answer_of
from gatehouse.wires.openai.errors import InvalidValue
from gatehouse.wires.openai.messages import called
from gatehouse.wires.openai.tools import calls_of

Message = Mapping[str, Any]
OUTPUTS_ALONE = "After a previous response send the outputs of its calls alone, or a new message alone."


def are_outputs(messages: Sequence[Message]) -> bool:
    """Tell whether an input is what tools have returned. Raises InvalidValue where it is that and more."""
    outputs = [message["type"] == "tool" for message in messages]
    if any(outputs) and not all(outputs):
        raise InvalidValue("input", OUTPUTS_ALONE)
    return any(outputs)


async def with_calls(
    services: Services, principal: Principal, run_id: str, outputs: Sequence[Message], instructions: str
) -> tuple[list[Message], str, str]:
    """Return what a run was asked, what it called and what came of it; its thread, and its answer there.

    `instructions` take the place of its own. Raises NotFound for a run that is not the caller's or not kept
    any more, and InvalidValue for outputs of other calls than its own.
    """
    run = await services.runs.get(principal, run_id)
    thread_id, answer = await answer_of(services.engine, principal, run_id)
    told = [record for record in await services.runs.so_far(run_id) if record.type == "complete"]
    complete = from_json(told[-1].data) if told else {}
    calls = calls_of(complete)
    if not isinstance(run.input, list) or not calls:
        raise InvalidValue("input", "The previous response has called nothing.")
    if {call["id"] for call in calls} != {output["tool_call_id"] for output in outputs}:
        raise InvalidValue("input", "Send the output of each call of the previous response, and no other.")
    made = [called(call["id"], call["name"], call["arguments"], "input") for call in calls]
    before = [said for said in run.input if not (instructions and said["type"] == "system")]
    system = [{"type": "system", "content": instructions}] if instructions else []
    call = {"type": "ai", "content": complete["content"], "tool_calls": made}
    return [*system, *before, call, *outputs], thread_id, answer
