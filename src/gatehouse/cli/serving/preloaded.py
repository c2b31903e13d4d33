"""What the fork server imports, and no other process: all that is forked from it shares these pages."""

import contextlib
import gc

from gatehouse.process.late_packages import put_off

put_off()
gc.disable()  # imports make what stays
with contextlib.suppress(Exception):  # the processes import it once more, and say what is wrong with it
    import gatehouse.auth.oidc.client
    import gatehouse.cli
    import gatehouse.process.worker
    import gatehouse.tools.remote.listing
    import gatehouse.wires.mcp.exchange  # noqa: F401  # a process alone imports what it needs of these
gc.freeze()  # else the first collection in each process would write to every page
gc.enable()
