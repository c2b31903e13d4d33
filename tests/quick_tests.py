"""What would otherwise take a third of the time of the suite, and is not tested.

A log line that comes when no test configures logging, as of a run that a test left behind, would be drawn with all
locals of its traceback: for seconds, in the server's event loop. httpx and httpx2 read the machine's certificate
authorities for each client they make, 40 ms: once is enough. The collector would look through the imported libraries and the tests
again and again.
"""

import gc
from collections.abc import Generator
from functools import cache

import httpx._config
import httpx._transports.default
import httpx2._config
import httpx2._transports.default
import pytest
import structlog._config
from structlog.dev import ConsoleRenderer, plain_traceback


def pytest_configure() -> None:
    for processor in structlog._config._BUILTIN_DEFAULT_PROCESSORS:
        if isinstance(processor, ConsoleRenderer):
            processor.exception_formatter = plain_traceback
    httpx._transports.default.create_ssl_context = cache(httpx._config.create_ssl_context)  # type: ignore[attr-defined]
    httpx2._transports.default.create_ssl_context = cache(httpx2._config.create_ssl_context)  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()  # what little of it is garbage, too: to look for it takes longer
        gc.set_threshold(50_000, 20, 100)
        gc.enable()
