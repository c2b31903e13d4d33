"""Who a model is asked for: set where a caller is known, read where a model fails for somebody."""

from contextvars import ContextVar

ASKER: ContextVar[str] = ContextVar("asker", default="")  # empty: nobody in particular


def asked_for(tenant_id: str, user_id: str) -> None:
    """Say for whom models are asked from here on, in this task and in those that it starts."""
    ASKER.set(f"{tenant_id}\0{user_id}")


def asker() -> str:
    """Return who models are asked for, the same text for the same user of a tenant; empty for nobody."""
    return ASKER.get()


def asking_tenant() -> str:
    """Return whose tenant models are asked for; empty for nobody."""
    return ASKER.get().partition("\0")[0]
