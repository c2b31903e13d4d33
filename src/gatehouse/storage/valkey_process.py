"""Becomes Valkey, as a child that ends with its parent: `python valkey_process.py PARENT PROGRAM ARGUMENT …`.

A program of its own that imports nothing of ours. `subprocess` could do the same between fork and exec, but
only by Python code in the copy of a process with threads.
"""

import ctypes
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# A terminal and a service manager send these to all processes of a server, which needs its Valkey until the
# last run is stored: it ends Valkey itself.
HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def become(parent: int, command: list[str]) -> None:
    """Run the command in place of this program. It is killed when the parent ends, however that ends.

    Valkey bears that: it answers when it has written, but for a second or two while the disk is slow, and a
    command that was cut off is left out when it reads its file (`aof-load-truncated`).
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)  # which an exec leaves as it is
    end_with(parent)
    os.execv(command[0], command)  # noqa: S606  # there is nothing for a shell to do


if sys.platform == "linux":

    def end_with(parent: int) -> None:
        """Have the kernel kill this process when its parent ends. Raises SystemExit when that has ended."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent has ended")

else:

    def end_with(parent: int) -> None:
        """Start a process that kills this one when its parent ends, and that ends with either."""
        this = os.getpid()
        if os.fork():
            return
        exits = [
            select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            for pid in (parent, this)
        ]
        # of a process that has ended already kqueue tells at once, as an error with its id
        [first] = select.kqueue().control(exits, 1)
        if first.ident == parent:
            os.kill(this, signal.SIGKILL)
        os._exit(0)


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
