"""May Asterisk open enough files?"""

from pathlib import Path

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import Patient

FEW = Fault(
    "descriptors_few",
    Status.WARNING,
    "Asterisk may open few files. At the usual limit of 1024, from about 100 calls on every further leg fails with"
    ' 500 "Allocation failed". A leg to a trunk whose carrier Asterisk has given up fails with the same words: see'
    " trunk_unreachable.",
    "Set maxfiles = 65536 in asterisk.conf and LimitNOFILE=65536 in its systemd unit, and restart Asterisk. With FreePBX:"
    " LimitNOFILE=65536 by `systemctl edit freepbx`, and nothing else.",
)

LEAST = 4096  # files
FILES_A_CALL = 10  # at 1024 files, creating channels fails at about 100 calls (22.10.1)
PROC = Path("/proc")


async def look(patient: Patient) -> list[Finding]:
    """Take Asterisk's word, or the kernel's when it has none and runs here."""
    limit = (await patient.info())["config"].get("max_open_files") or None
    if limit is None and patient.beside_asterisk:
        limit = _limit_of_the_process()
    if limit is None:
        return [unseen("maxfiles is not set in asterisk.conf; the limit is that of the process", FEW.fix)]
    if limit < LEAST:
        return [FEW.found(f"Asterisk may open {limit} files: enough for about {limit // FILES_A_CALL} calls")]
    return [well(f"Asterisk may open {limit} files")]


def _limit_of_the_process() -> int | None:
    """The soft limit of the one process that is called asterisk, if there is one."""
    limits = [folder / "limits" for folder in PROC.glob("[0-9]*") if _text(folder / "comm").strip() == "asterisk"]
    if len(limits) != 1:
        return None
    for line in _text(limits[0]).splitlines():
        if line.startswith("Max open files"):
            soft = line.split()[3]
            return int(soft) if soft.isdecimal() else LEAST
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # the process has ended, or is not ours to look at
        return ""


CHECK = Check("files", "May Asterisk open enough files?", (FEW,), look)
