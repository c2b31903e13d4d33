"""What would otherwise take a third of the time of the suite, and is not tested.

httpx reads the machine's certificate authorities for each client it makes, 40 ms: once is enough. The collector
would look through the imported libraries and the tests again and again.
"""

import gc
from functools import cache

import httpx._config
import httpx._transports.default


def pytest_configure() -> None:
    gc.disable()
    httpx._transports.default.create_ssl_context = cache(httpx._config.create_ssl_context)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
