"""Can every user of this machine read a file with passwords in it?"""

import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from c2c_stasis.doctor.asterisk_files import AsteriskFiles, FileUnread
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.endpoints import listed
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import NAME_THEM, CannotSee, Patient, Unseen
from c2c_stasis.store.errors import DatabaseNotUsable
from c2c_stasis.store.sqlite import database_file, parse_url

READABLE = Fault(
    "secret_readable",
    Status.CONFIG,
    "Every user of this machine can read a file that holds passwords, keys, or what signs sessions.",
    "Take the right away: chmod o-rwx FILE. Whoever could read it may have: change what it holds if others use this machine.",
)

# What Asterisk's files call a secret; in pjsip_wizard.conf with the object before it.
SECRET = re.compile(
    r"^\s*(?:[\w-]+/)?(password|secret|md5_cred|password_digest\w*|oauth_secret|refresh_token|dbpass\w*)\s*=>?\s*[^\s;]",
    re.M | re.I,
)
KEYS = (("pjsip.conf", "priv_key_file"), ("http.conf", "tlsprivatekey"), ("manager.conf", "tlsprivatekey"))
CERTIFICATES = (("pjsip.conf", "cert_file"), ("http.conf", "tlscertfile"), ("manager.conf", "tlscertfile"))
A_KEY = b"PRIVATE KEY-----"  # which may stand in one file with its certificate
ASTDB = "astdb.sqlite3"  # Asterisk's database; holds the devices that were made over ARI
STATE = "/var/lib/asterisk"


async def look(patient: Patient) -> list[Finding]:
    """Look at the rights of our own files, then of Asterisk's."""
    ours = list(_ours(patient))
    try:
        files = patient.asterisk_files()
        asterisks = list(_with_secrets(files))
    except (Unseen, FileUnread) as reason:
        faults = _judged(ours)
        return faults or [
            unseen(f"{len(ours)} files of the service are closed; Asterisk's were not seen: {reason}", NAME_THEM)
        ]
    every = list(dict.fromkeys([*ours, *asterisks, *_keys(files), *await _astdb(patient, files)]))
    return _judged(every) or [well(f"{len(every)} files that hold secrets are closed to others")]


def _judged(files: list[Path]) -> list[Finding]:
    open_ones = [str(file) for file in files if open_to_all(file)]
    return [READABLE.found(f"open to every user: {listed(open_ones)}")] if open_ones else []


def open_to_all(file: Path) -> bool:
    """Whether every user may read it, and may come to it through all the folders above."""
    try:
        file = file.resolve()
        return bool(file.stat().st_mode & stat.S_IROTH) and all(
            folder.stat().st_mode & stat.S_IXOTH for folder in file.parents
        )
    except OSError:  # not there, or in a folder that is closed even to us
        return False


def _ours(patient: Patient) -> Iterator[Path]:
    """The configuration, with Asterisk's password; the database, with what signs sessions; the key of the certificate."""
    if patient.config_file is not None:
        yield patient.config_file
    with suppress(DatabaseNotUsable):
        yield database_file(parse_url(patient.config.database.url))
    if patient.config.http.tls_key:
        yield Path(patient.config.http.tls_key)


def _with_secrets(files: AsteriskFiles) -> Iterator[Path]:
    """Every file of Asterisk in which a password stands. One that we may not read, not everybody may."""
    for name in files.names():
        for file in files.file(name).read:
            if SECRET.search(file.read_text(encoding="utf-8", errors="replace")):
                yield file


def _keys(files: AsteriskFiles) -> Iterator[Path]:
    """The private keys that Asterisk's files name, and the certificates that have theirs with them."""
    yield from _named(files, KEYS)
    yield from (file for file in _named(files, CERTIFICATES) if _holds_a_key(file))


def _named(files: AsteriskFiles, settings: tuple[tuple[str, str], ...]) -> Iterator[Path]:
    for name, setting in settings:
        for section in files.file(name).sections:
            for key, value in section.settings:
                if key == setting:
                    yield files.folder / value  # a whole path stays as it is


def _holds_a_key(file: Path) -> bool:
    try:
        return A_KEY in file.read_bytes()
    except OSError:  # not there, or not for us to read, and so not for everybody
        return False


async def _astdb(patient: Patient, files: AsteriskFiles) -> list[Path]:
    """Asterisk's own database, if the service keeps phones there."""
    try:
        if not any(device.provisioned for device in (await patient.directory()).devices):
            return []
    except CannotSee:
        pass  # then it may
    folders = files.file("asterisk.conf").named("directories")
    return [Path(folders.value("astdbdir") or folders.value("astvarlibdir", STATE)) / ASTDB]


CHECK = Check("secret files", "Can every user of this machine read passwords?", (READABLE,), look)
