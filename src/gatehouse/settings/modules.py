"""Where the modules are that settings name: in the working folder first, then where Python looks."""

import sys
from pathlib import Path


def see_working_folder() -> str:
    """Let modules of the working folder be imported, and return the folder's path."""
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    return folder
