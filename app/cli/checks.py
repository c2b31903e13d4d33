"""What `gatehouse doctor` tests. Each check tests one configured part by using it."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from http.client import HTTPException
from typing import Literal
from urllib.request import urlopen

from redis.exceptions import RedisError

from app.auth.configuration import BadConfiguration
from app.auth.jwt import JwtVerifier
from app.auth.peppers import Peppers
from app.auth.dev_secrets import api_key_pepper
from app.cli.banner import url_of
from app.cli.failure import Failed
from app.cli.stores import open_database
from app.lifespan import CannotStart, open_redis
from app.server import StartFailed, listen, reason
from app.settings import Settings
from app.telemetry.logs import redact
from chains import registry
from chains.models import ModelUnavailable, open_chat_model
from chains.scripted import ScriptedChatModel
from tools.portfolio.store import PortfolioStore
from tools.registry import BadTool, Stores, build_tools

OLDEST_REDIS = (6, 2)
MODEL_SECONDS = 30
QUESTION = "Answer with one word: is water wet?"

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `detail` says what is wrong and how to mend it, or what is used."""

    part: str
    state: State
    detail: str


async def check_settings(settings: Settings) -> Finding:
    if settings.development:
        return Finding("settings", "ok", "development: unset parts use their embedded defaults")
    if settings.model_copy(update={"model": settings.chat_model.chosen}).model in ("embedded", "scripted"):
        return Finding(
            "settings", "warning", f"production with the {settings.chat_model.chosen} model: set OPENAI_API_KEY "
            "or GATEHOUSE_MODEL",
        )  # fmt: skip
    return Finding("settings", "ok", "production")
