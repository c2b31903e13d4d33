"""A decision, checked whole before anything is stored: a faulty one changes nothing and can be corrected."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from gatehouse.approvals.models import Decision, Kind
from gatehouse.problems.errors import InvalidInput
from gatehouse.problems.faults import MOST_TOLD, bounded_part

LONGEST_FAULT = 200  # characters: it may repeat what was sent
FIELDS = ("args", "message", "response", "result")
CANNOT_EDIT = "The schema of this tool cannot be read, so its arguments cannot be edited."


def check(decision: Decision, kind: Kind, allowed: Sequence[str], schema: Mapping[str, Any] | None) -> None:
    """Raise InvalidInput unless this may be decided on an approval of this kind, and is whole."""
    if decision.decision not in allowed:
        raise refused("decision", f"It may be {', '.join(allowed)}")
    takes = fields_of(decision, kind)
    given = {name for name in FIELDS if name in decision.model_fields_set}
    if unknown := sorted(given - takes.keys()):
        raise refused(unknown[0], f"A decision to {decision.decision} has no {unknown[0]}")
    for name, needed in takes.items():
        if needed and (name not in given or (name != "response" and not_said(getattr(decision, name)))):
            raise refused(name, f"A decision to {decision.decision} needs it")
    if decision.decision == "edit":
        refuse_faults("args", decision.args, closed(schema or {}))
    elif "response" in given and schema:
        refuse_faults("response", decision.response, schema)


def fields_of(decision: Decision, kind: Kind) -> dict[str, bool]:
    """Return the fields that a decision may have, and which of them it must."""
    match decision.decision:
        case "edit":
            return {"args": True}
        case "reject":
            return {"message": False}
        case "respond":
            return {"response": True} if kind == "input" else {"message": True}
        case "happened":
            return {"result": False}
    return {}


def not_said(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def closed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema of arguments that takes no others: a tool would ignore them, which nobody sees."""
    if "properties" in schema and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema


def refuse_faults(name: str, value: Any, schema: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a value that does not follow the schema. No schema is fetched from anywhere."""
    try:
        faults = list(first_faults(name, value, schema))
    except (SchemaError, Unresolvable, RecursionError):
        raise refused(name, CANNOT_EDIT) from None
    if faults:
        raise InvalidInput(errors=faults)


def first_faults(name: str, value: Any, schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    registry: Registry[Any] = Registry()
    validator = Draft202012Validator(schema, registry=registry)
    for _, fault in zip(range(MOST_TOLD), validator.iter_errors(value), strict=False):
        where = [name, *map(bounded_part, fault.absolute_path)]
        yield {"loc": where, "msg": fault.message[:LONGEST_FAULT], "type": f"schema_{fault.validator}"}


def refused(field: str, message: str) -> InvalidInput:
    return InvalidInput(errors=[{"loc": [field], "msg": message, "type": "decision"}])
