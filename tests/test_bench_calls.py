"""`make bench-check`: what it counts, and when it fails."""

import subprocess
import sys

from bench.calls import fallen

COUNT = """
import concurrent.futures, threading
from bench.calls import Calls
def f(): return len("")
calls = Calls()
f()
begun = calls.so_far()
f(); f()
with concurrent.futures.ThreadPoolExecutor(1) as pool:
    here = calls.so_far() - begun
    pool.submit(f).result()
print(here, calls.so_far() - begun > here + 2)
"""


def test_counts_pythons_and_cs_functions_of_all_threads() -> None:
    found = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    here, elsewhere = found.stdout.split()
    assert 4 <= int(here) <= 40  # f and len, twice; and what opens the pool
    assert elsewhere == "True"


def test_tells_what_fell_by_more_than_a_quarter() -> None:
    committed = {"/invoke": 1.0, "/api/chat": 1.0}
    assert fallen({"/invoke": 0.76, "/api/chat": 0.7}, committed) == [
        "/api/chat: 0.70 times as good as stock, 1.00 when it was counted"
    ]
