"""A replica in a process of its own: starts a run, and prints what a viewer there sees.

python replica_process.py REDIS_URL RUN_ID WORDS
"""

import asyncio
import sys

from run_replicas import ALICE, Replicas, client_of
from run_runnables import Words

PAUSE = 0.01


async def main(url: str, run_id: str, count: int) -> None:
    replicas = Replicas(lambda: client_of(url), {"/words": Words()})
    replica = await replicas.open()
    await replica.engine.start(ALICE, "/words", {"n": count, "pause": PAUSE}, run_id=run_id)
    async for records in replica.engine.view(run_id):
        for record in records:
            print("event", record.cursor, record.type, flush=True)  # logs go to the same place
    await replicas.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
