"""What the interrupts of a graph ask, as approvals."""

from gatehouse.approvals.asking import drafts_of
from gatehouse.runs.sources.steps import Asked, ToolCalled

ARGS = {"to": "Bob", "amount": 100}


def test_calls_that_look_the_same_are_each_asked_about() -> None:
    """LangChain's middleware asks of a turn's calls at once, and does not say which they are."""
    asked = Asked(
        "i1",
        {
            "action_requests": [{"name": "transfer", "args": ARGS}] * 3,
            "review_configs": [{"allowed_decisions": ["approve"]}] * 3,
        },
    )
    calls = [
        ToolCalled("transfer", "c1", ARGS),
        ToolCalled("other", "c2", ARGS),
        ToolCalled("transfer", "c3", ARGS),
    ]
    assert [draft.tool_call_id for draft in drafts_of([asked], calls)] == ["c1", "c3", None]
