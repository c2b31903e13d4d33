"""What would otherwise take a third of the time of the suite, and is not tested.

httpx reads the machine's certificate authorities for each client it makes, 40 ms: once is enough. The collector
would look through the imported libraries and the tests again and again.
"""

import gc
from collections.abc import Generator
from functools import cache

import httpx._config
import httpx._transports.default
import pytest


def pytest_configure() -> None:
    httpx._transports.default.create_ssl_context = cache(httpx._config.create_ssl_context)  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        gc.enable()
