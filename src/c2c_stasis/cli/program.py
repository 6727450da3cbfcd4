"""How this program was called, so that a command that is printed runs for whoever reads it."""

import shlex
import shutil
import sys
from pathlib import Path

NAME = "c2c-stasis"
_MAIN = Path(__file__).resolve().parents[1] / "__main__.py"


def program() -> str:
    """The program as it can be called again from here: by its name alone if that leads to it, else by its path."""
    called = sys.argv[0]
    if Path(called).resolve() == _MAIN:
        return f"{shlex.quote(sys.executable)} -m c2c_stasis"
    found = shutil.which(NAME)
    if Path(called).name != NAME or (found is not None and Path(found).samefile(called)):
        return NAME
    return shlex.quote(called)
