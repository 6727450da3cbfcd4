"""Which Asterisk we can run: its version, how to start it, where its modules and data are."""

import asyncio
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from c2c_stasis.lab.errors import LaboratoryError

# 22.10.0 lets an ARI user run commands (GHSA-vrfp-mg3q-3959, GHSA-wcvv-g26m-wx5c); 22.10.1 and 23.4.1, of 25 June
# 2026, are the first without.
FLOOR = (22, 10, 1)
FLOOR_OF_23 = (23, 4, 1)

PREFIXES = (Path("/usr"), Path("/usr/local"), Path("/opt/asterisk"))


@dataclass(frozen=True, slots=True)
class Installation:
    """One Asterisk that can be started: the machine's own, or an unpacked tree."""

    version: str
    root: Path | None
    """The unpacked tree; None is the machine's own Asterisk."""
    command: tuple[str, ...]
    """What a command line starts with, server (`-f -C file`) and console (`-rx …`) alike."""
    module_dir: Path
    data_dir: Path


def parse_version(text: str) -> tuple[int, int, int]:
    """Give the three numbers of a version as Asterisk or Debian writes it.

    Raises LaboratoryError when there are none.
    """
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        raise LaboratoryError(f"this is no version of Asterisk: {text!r}")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def new_enough(version: str) -> bool:
    """Tell whether this version has the fixes that we need (`FLOOR`); certified branches do not."""
    if "certified" in version:
        return False
    numbers = parse_version(version)
    return numbers >= (FLOOR_OF_23 if numbers[0] == FLOOR_OF_23[0] else FLOOR)


async def installed() -> Installation | None:
    """Find the machine's own Asterisk; None when there is none, it is too old, or an ordinary user cannot run it."""
    binary = shutil.which("asterisk") or next(
        (str(p / "sbin/asterisk") for p in PREFIXES if (p / "sbin/asterisk").is_file()), None
    )
    if binary is None:
        return None
    version = await ask_version((binary,))
    if version is None or not new_enough(version):
        return None
    module_dir = _folder(
        PREFIXES, ("lib/asterisk/modules", "lib64/asterisk/modules", "lib/*/asterisk/modules"), "res_ari.so"
    )
    data_dir = _folder((*PREFIXES, Path("/var")), ("share/asterisk", "lib/asterisk"), "rest-api/resources.json")
    if module_dir is None or data_dir is None:
        return None
    return Installation(version, None, (binary,), module_dir, data_dir)


def unpacked(root: Path, version: str) -> Installation:
    """Describe a tree of unpacked packages; started through its own loader, it needs nothing of the machine's libraries.

    Raises LaboratoryError when the tree holds no loader, binary or modules.
    """
    # The loader's folder carries the machine's triplet, so nobody has to be asked for it.
    loader = next(iter(sorted(root.glob("usr/lib/*/ld-linux*.so.*"))), None)
    binary = root / "usr/sbin/asterisk"
    if loader is None or not binary.is_file():
        raise LaboratoryError(f"{root} holds no Asterisk: remove it, and it is fetched again")
    libraries = loader.parent
    path = f"{libraries}:{libraries / 'asterisk'}"
    command = (str(loader), "--library-path", path, str(binary))
    return Installation(version, root, command, libraries / "asterisk/modules", root / "usr/share/asterisk")


async def ask_version(command: tuple[str, ...]) -> str | None:
    """Run Asterisk for its version, `22.10.1+dfsg…`; None when it does not start."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            "-V",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    output, _ = await process.communicate()
    match = re.match(r"Asterisk (\S+)", output.decode(errors="replace"))
    return match[1] if match and process.returncode == 0 else None


def _folder(prefixes: Iterable[Path], patterns: tuple[str, ...], proof: str) -> Path | None:
    """The first folder under the prefixes that holds the file which proves it."""
    for prefix in prefixes:
        for pattern in patterns:
            for folder in sorted(prefix.glob(pattern)):
                if (folder / proof).is_file():
                    return folder
    return None
