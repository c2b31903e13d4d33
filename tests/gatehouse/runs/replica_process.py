"""A replica in a process of its own: starts a run, and prints what a viewer there sees.

python replica_process.py REDIS_URL RUN_ID WORDS [late]

With `late` the run begins a thread, whose question waits for the answer.
"""

import asyncio
import sys

from run_replicas import ALICE, Replicas, client_of
from run_runnables import Words

from gatehouse.runs.lifecycle import asking

PAUSE = 0.01


async def main(url: str, run_id: str, count: int, late: bool) -> None:
    replicas = Replicas(lambda: client_of(url), {"/words": Words()})
    replica = await replicas.open()
    value = {"n": count, "pause": PAUSE}
    await replica.engine.start(ALICE, "/words", value, run_id=run_id, new_thread=late, in_one_piece=late)
    async for records in replica.engine.view(run_id):
        for record in records:
            print("event", record.cursor, record.type, flush=True)  # logs go to the same place
    await replicas.close()


if __name__ == "__main__":
    asking.LATE_SECONDS = 60.0
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:] == ["late"]))
