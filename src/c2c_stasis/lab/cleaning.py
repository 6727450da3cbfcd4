"""`lab clean`: removes what the laboratory keeps, and what killed runs of it left behind."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.obtain import default_cache
from c2c_stasis.lab.rundir import living, sweep

# What the laboratory puts into its cache; a folder named by mistake keeps everything else.
_OURS = ("asterisk-*", "apt-*", "lock")


def run(cache: Path | None, say: Callable[[str], None]) -> None:
    """Remove leftovers, then the fetched Asterisk; another run fetches it again.

    Raises `LaboratoryError` while a laboratory of this user runs: it may run from there.
    """
    for path in sweep():
        say(f"{path}: removed, its owner was killed")
    if running := living():
        raise LaboratoryError(f"a laboratory runs in {running[0]}: end it first, then its Asterisk can be removed")
    folder = cache or default_cache()
    ours = [path for pattern in _OURS for path in sorted(folder.glob(pattern))]
    if not ours:
        say(f"{folder}: holds nothing of ours")
        return
    size = sum(_size(path) for path in ours)
    for path in ours:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
    say(f"{folder}: {size / 1e6:.0f} MB removed")


def _size(path: Path) -> int:
    """Bytes of all files below, links not followed."""
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(Path(folder, name).lstat().st_size for folder, _, names in os.walk(path) for name in names)
