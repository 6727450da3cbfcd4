"""Does Asterisk run as root?"""

from pathlib import Path

from c2c_stasis.doctor.asterisk_files import FileUnread
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import Patient, Unseen

ROOT = Fault(
    "asterisk_is_root",
    Status.CONFIG,
    "Asterisk runs as root: a hole in it is a hole in the whole machine.",
    "Set runuser = asterisk and rungroup = asterisk in asterisk.conf, give that user its folders, and restart Asterisk.",
)

PROC = Path("/proc")
RUN = "/run/asterisk"  # where asterisk.pid is, unless astrundir says otherwise


async def look(patient: Patient) -> list[Finding]:
    """Take the kernel's word where Asterisk runs here, else what Asterisk was told."""
    told = (await patient.info())["config"]["setid"]["user"]
    user_id = _user_of(_process(patient)) if patient.beside_asterisk else None
    if user_id == 0 or told == "root":
        return [ROOT.found("Asterisk runs as root")]
    if user_id is not None or told:
        return [well(f"Asterisk runs as {told or f'user {user_id}'}")]
    return [unseen("Asterisk was not told to run as another user than who starts it", "Set runuser in asterisk.conf.")]


def _process(patient: Patient) -> str:
    """The number that Asterisk wrote down; empty when it cannot be read."""
    try:
        folder = patient.asterisk_files().whole("asterisk.conf").named("directories").value("astrundir", RUN)
    except (Unseen, FileUnread):
        folder = RUN
    return _text(Path(folder) / "asterisk.pid").strip()


def _user_of(process: str) -> int | None:
    """The effective user of the process of this number, if it is an Asterisk: the number may be of a day long past."""
    if not process.isdecimal() or "asterisk" not in _text(PROC / process / "cmdline"):
        return None
    users = [line.split() for line in _text(PROC / process / "status").splitlines() if line.startswith("Uid:")]
    return int(users[0][2]) if users else None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # not there, or not ours to look at
        return ""


CHECK = Check("own user", "Does Asterisk run as root?", (ROOT,), look)
