"""Gives Starlette's test client the HTTP client that LangServe's tests were written for, a pytest plugin.

With httpx2 installed it raises that package's errors, which they do not know: one fails on LangServe too.
"""

import sys

sys.modules["httpx2"] = None  # type: ignore[assignment]  # to an import: as if it were not installed
import starlette.testclient  # noqa: E402, F401  # this one looks for it first

del sys.modules["httpx2"]
