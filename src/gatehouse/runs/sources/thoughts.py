"""What a model thinks before it answers, as the providers tell it."""

from langchain_core.messages import BaseMessage

TOLD_BESIDE = "reasoning_content"  # beside the content: DeepSeek, vLLM and what follows them


def thoughts_of(message: BaseMessage) -> str:
    """Return the thoughts in a message or a piece of one; empty without."""
    beside = message.additional_kwargs.get(TOLD_BESIDE)
    if isinstance(message.content, str):
        return beside if isinstance(beside, str) else ""
    told = [
        str(block.get("reasoning") or "") for block in message.content_blocks if block["type"] == "reasoning"
    ]
    return "".join(told) or (beside if isinstance(beside, str) else "")
