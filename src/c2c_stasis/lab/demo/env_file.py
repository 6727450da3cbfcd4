"""The file that tells a script where everything is, as shell variables: `. FILE`."""

import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write(path: Path, variables: Mapping[str, str | int]) -> None:
    """Let the file appear, whole, in place of an older one; only its owner can read it, for it holds the key."""
    text = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in variables.items())
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)  # mode 0600
    unfinished = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
