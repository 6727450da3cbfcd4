"""Can the ARI log be written, if one is wanted?"""

import asyncio
import contextlib
from pathlib import Path
from tempfile import TemporaryFile

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

NOT_WRITABLE = Fault(
    "ari_log_not_writable",
    Status.WARNING,
    "The ARI log cannot be written where it should be. Calls work; there will be nothing to look into when one went wrong.",
    "Name in [ari] log a folder that the user of the service may make and write, and run doctor as that user.",
)


async def look(patient: Patient) -> list[Finding]:
    """Try to have a file there for a moment."""
    folder = patient.config.ari.log
    if not folder:
        return [well("no ARI log is wanted")]
    trouble = await asyncio.to_thread(_try, Path(folder))
    if trouble is not None:
        return [NOT_WRITABLE.found(f"{folder}: {trouble.strerror}")]
    return [well(f"{folder} can be written")]


def _try(folder: Path) -> OSError | None:
    """What keeps us from writing there; of what is made to find that out nothing stays."""
    missing: list[Path] = []
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error
    finally:
        for path in missing:
            with contextlib.suppress(OSError):  # it was not made; or it is in use by now
                path.rmdir()


CHECK = Check("ari log", "Can the ARI log be written, if one is wanted?", (NOT_WRITABLE,), look)
