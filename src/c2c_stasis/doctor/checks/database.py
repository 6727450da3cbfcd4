"""Can the database be used: is it there, of this version, writable, and on a disk that keeps its promises?"""

import os
from pathlib import Path

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import Patient
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.store.errors import DatabaseNotUsable, SchemaNotCurrent, sqlite_name
from c2c_stasis.store.ownership import is_served
from c2c_stasis.store.sqlite import database_file, parse_url

MISSING = Fault(
    "database_missing",
    Status.UNAVAILABLE,
    "There is no database. The service does not start.",
    "If it was moved or renamed, put the very same file back; also while the service runs. If there never was one, run"
    " `c2c-stasis init`. Or correct [database] url.",
)
NOT_MIGRATED = Fault(
    "database_not_migrated",
    Status.UNAVAILABLE,
    "The database is not of this version. The service does not start.",
    "Make a backup and run `c2c-stasis migrate`; a database of a newer version needs that version.",
)
NOT_WRITABLE = Fault(
    "database_not_writable",
    Status.UNAVAILABLE,
    "The database cannot be written. The service does not start.",
    "Make the file and its folder writable for the user of the service, and run doctor as that user.",
)
UNUSABLE = Fault(
    "database_unusable",
    Status.UNAVAILABLE,
    "The database cannot be used: damaged, locked by another program, or on a full disk; the fact says which.",
    "Do what the fact says; if it is damaged, keep the file and restore a backup.",
)
SERVED = Fault(
    "database_served",
    Status.UNAVAILABLE,
    "A running service has this database, and it is not where the configuration says. Another service does not start with it.",
    "Stop that service, or give this one a database of its own; or restart it, if it is this one with another [http] listen.",
)
NOT_TAKEN = Fault(
    "service_cannot_write",
    Status.UNAVAILABLE,
    "The running service cannot write to its database, though doctor can. New calls are refused.",
    "Its log tells why, at `the database cannot be written`; what to do is in operations.md, under the database and the disk.",
)
ON_NETWORK = Fault(
    "database_on_network",
    Status.CONFIG,
    "The database is on a network disk, where SQLite's locks and its write-ahead log are not safe: it may be damaged.",
    "Move the file to a disk of this machine, and name it in [database] url.",
)

# As the kernel calls them in its table of mounts.
NETWORK_DISKS = {
    *(
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
    ),
    *("smb2", "smb3", "smbfs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
}


async def contents(patient: Patient) -> list[Finding]:
    """Open it as the service does, and prove that it can be written."""
    url = patient.config.database.url
    try:
        file = database_file(parse_url(url))
        if not file.exists():
            return [MISSING.found(f"{file} does not exist")]
        await patient.read_database()
    except SchemaNotCurrent as error:
        return [NOT_MIGRATED.found(str(error))]
    except (DatabaseNotUsable, StoreUnavailable, OSError) as error:
        return [_why(error)]
    listen = patient.config.http.listen
    if listen.port and is_served(url) and await patient.service() is None:
        return [SERVED.found(f"a running service has {file}, and none answers at {listen}")]
    parts = await patient.service() or {}
    if parts.get("database", "ok") != "ok" and not await patient.another_service():
        return [NOT_TAKEN.found(f"the service at {listen} says of its database: {parts['database']}")]
    return [well(f"{file} can be read and written, by the user with number {os.geteuid()}")]


def _why(error: Exception) -> Finding:
    cause: BaseException | None = error
    while cause is not None:
        if sqlite_name(cause).startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return NOT_WRITABLE.found(str(error))
        if isinstance(cause, PermissionError):
            return NOT_WRITABLE.found(str(error))
        cause = cause.__cause__
    return UNUSABLE.found(str(error))


async def disk(patient: Patient) -> list[Finding]:
    """Find the mount under the file in the kernel's table."""
    file, folder = _file_and_folder(patient.config.database.url)
    try:
        kind = kind_of_disk(folder, patient.mounts.read_text())
    except OSError:
        return [unseen("the kernel does not tell which disks are mounted")]
    if kind in NETWORK_DISKS:
        return [ON_NETWORK.found(f"{file} is on a network disk ({kind})")]
    return [well(f"{folder} is on {kind}")]


def _file_and_folder(url: str) -> tuple[Path, Path]:
    """The database, and the folder in which it really is, also when its name is a link."""
    file = Path(parse_url(url).database or "")
    return file, file.resolve().parent


def kind_of_disk(folder: Path, mounts: str) -> str:
    """The file system under a folder, from /proc/self/mountinfo; of two mounts on one place the later hides the other."""
    best, kind = -1, "an unknown disk"
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = Path(fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind


CHECK = Check(
    "database",
    "Is the database there, of this version, writable, and no other service's?",
    (MISSING, NOT_MIGRATED, NOT_WRITABLE, UNUSABLE, SERVED, NOT_TAKEN),
    contents,
)
DISK_CHECK = Check("disk", "Is the database on a disk of this machine?", (ON_NETWORK,), disk)
