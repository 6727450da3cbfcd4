"""Who may use ARI, and may web pages?"""

from c2c_stasis.doctor.asterisk_files import FileUnread
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.endpoints import listed
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

READER = Fault(
    "ari_reader",
    Status.CONFIG,
    "There is a read-only ARI user, and it is not the lesser user that it seems: it can read SIP passwords, and take over the"
    " application of the service (22.10.1), which ends all control of calls.",
    "Remove the user from ari.conf, and run `asterisk -rx 'module reload res_ari.so'`. What it was for, /metrics and the API of"
    " the service tell.",
)
ORIGINS = Fault(
    "ari_any_origin",
    Status.CONFIG,
    "Web pages of any origin may use ARI in the browser of whoever has its password.",
    "Leave allowed_origins in ari.conf empty, and run `asterisk -rx 'module reload res_ari.so'`.",
)


async def users(patient: Patient) -> list[Finding]:
    """Read every user of ari.conf."""
    file = patient.asterisk_files().file("ari.conf")
    every = file.of_type("user")
    readers = [user.name for user in every if user.true("read_only")]
    if readers:
        return [READER.found(f"read-only in ari.conf: {listed(readers)}")]
    if file.unread:
        raise FileUnread("; ".join(file.unread))
    return [well(f"{len(every)} ARI user{'s' * (len(every) != 1)}, and none is read-only")]


async def origins(patient: Patient) -> list[Finding]:
    """Read the general section of ari.conf."""
    allowed = await patient.setting("ari.conf", "general", "allowed_origins")
    if "*" in allowed:
        return [ORIGINS.found(f"allowed_origins = {allowed}")]
    return [well(f"pages of {allowed} may use ARI" if allowed else "no web page may use ARI")]


USERS_CHECK = Check("ari users", "Is there a user of ARI who should not be?", (READER,), users)
ORIGINS_CHECK = Check("ari origins", "May any web page use ARI?", (ORIGINS,), origins)
