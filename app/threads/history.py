"""A thread's messages as the run engine uses them: what a model is told, and what is kept of its answer."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately

from app.auth.principal import Principal
from app.runs.events import Event, Status, ToolEnd, ToolStart
from app.runs.records import RunRecord, State
from app.threads.models import MessageStatus, ToolCall
from app.threads.store import Answer, ThreadStore
from app.threads.titles import title_of
