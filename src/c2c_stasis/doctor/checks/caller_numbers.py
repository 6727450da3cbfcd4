"""Do those who are called see a number?"""

from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account, DirectoryRows, User
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

NONE = Fault(
    "caller_number_none",
    Status.WARNING,
    "Calls go out without a number, emergency calls too: no active number that calls may show is the caller number of the user"
    " or of the account. Many carriers refuse such calls, and emergency services cannot call back.",
    "Give the account a number that the carrier knows: `c2c-stasis init --account NAME --caller-number +NUMBER`. Where calls"
    " are meant to be anonymous: doctor --ignore caller_number_none.",
)

SHOWN = 5  # users in one fact


async def look(patient: Patient) -> list[Finding]:
    """Ask the directory, as a call does, what each user who has a device shows."""
    if not patient.config.trunks:
        return [well("no call leaves: there is no trunk")]
    rows = await patient.directory()
    directory, faults = Directory.of(rows), []
    for account in rows.accounts:
        callers = _callers(rows, account)
        if anonymous := [user for user in callers if directory.shown_number(account, user) is None]:
            faults.append(NONE.found(f"account {account.name}: the calls of {_listed(anonymous)} show no number"))
    return faults or [well("every user who can call shows a number")]


def _callers(rows: DirectoryRows, account: Account) -> list[User]:
    """The users of an account who have a device."""
    with_device = {device.user_id for device in rows.devices}
    return [user for user in rows.users if user.account_id == account.id and user.id in with_device]


def _listed(users: list[User]) -> str:
    more = f" and {len(users) - SHOWN} more" if len(users) > SHOWN else ""
    return ", ".join(user.name for user in users[:SHOWN]) + more


CHECK = Check("caller numbers", "Do those who are called see a number?", (NONE,), look)
