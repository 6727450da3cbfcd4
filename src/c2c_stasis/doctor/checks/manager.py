"""Is the manager interface, Asterisk's older way of being controlled, open, and may its users place calls?"""

from c2c_stasis.doctor.asterisk_files import FileUnread, Section, is_true
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient, Unseen

ORIGINATE = Fault(
    "manager_originate",
    Status.CONFIG,
    "A user of the manager interface (AMI) may place calls, redirect them, or run commands: past the service, its rules and its"
    " records.",
    "Set enabled = no in manager.conf, or take originate, call, command, system, config and all out of `write` of its users;"
    " then `asterisk -rx 'manager reload'`. Where another program needs it: doctor --ignore manager_originate.",
)
ENABLED = Fault(
    "manager_enabled",
    Status.WARNING,
    "The manager interface (AMI) is open: a second way in, which c2c-stasis does not need.",
    "Set enabled = no in manager.conf, and run `asterisk -rx 'manager reload'`. Where another program needs it: doctor --ignore"
    " manager_enabled.",
)

POWERS = {"all", "originate", "call", "command", "system", "config"}  # each lets a user place calls, or anything at all
DEFAULT_ADDRESS = "every address"


async def look(patient: Patient) -> list[Finding]:
    """Read manager.conf."""
    if not is_true(await patient.setting("manager.conf", "general", "enabled")):
        return [well("the manager interface is off")]
    address = await patient.setting("manager.conf", "general", "bindaddr") or DEFAULT_ADDRESS
    try:
        file = patient.asterisk_files().file("manager.conf")
    except (Unseen, FileUnread) as reason:
        return [ENABLED.found(f"it listens on {address}; what its users may do cannot be seen: {reason}")]
    users = [section for section in file.sections if section.name.lower() != "general" and not section.template]
    faults = [ORIGINATE.found(f"{user.name} may {', '.join(sorted(_powers(user)))}") for user in users if _powers(user)]
    unread = f"; {'; '.join(file.unread)}" if file.unread else ""
    return faults or [ENABLED.found(f"it listens on {address}, for {len(users)} users{unread}")]


def _powers(user: Section) -> set[str]:
    rights = user.value("write").lower()
    if (
        is_true(rights) or rights.lstrip("-").isdecimal()
    ):  # any yes is all; a number is a mask that nobody writes by hand
        return {"all"} if rights != "0" else set()
    return {word.strip() for word in rights.split(",")} & POWERS


CHECK = Check("manager", "Is the manager interface open, and may its users place calls?", (ORIGINATE, ENABLED), look)
