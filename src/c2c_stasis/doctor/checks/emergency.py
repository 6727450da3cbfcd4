"""Is everything prepared for somebody who needs help?"""

from c2c_stasis.call.model import Lack
from c2c_stasis.directory.emergency import NOBODY_TOLD, Gap, gaps
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

# Carrier, places and who is alarmed are prepared after the first call, so these are warnings that leave the status as it is;
# `--strict` counts them. A number to call back is one that ordinary calls should have too.
TRUNK = Fault(
    "emergency_trunk_none",
    Status.WELL,
    "No trunk is marked for emergency calls: they try the ordinary ones, whose carriers may not take them.",
    "Ask the carrier whether it takes emergency calls, then add a [[trunks]] section for it with emergency = true; its endpoint"
    " may be that of an ordinary trunk.",
)
NUMBER = Fault(
    "emergency_callback_none",
    Status.WARNING,
    "Emergency services cannot call back: neither the user, nor the place, nor the account has an active number to show.",
    "Give the account, the location (primary_did) or the user (caller_number) a number at which somebody answers.",
)
LOCATION = Fault(
    "emergency_location_none",
    Status.WELL,
    "Nobody knows where the user is, and the emergency numbers are those of the account's region.",
    "Create a location with its address (`c2c-stasis locations create`), and name it in location of the user or of the device.",
)
TOLD = Fault(
    "emergency_nobody_told",
    Status.WELL,
    "Nobody but the emergency service learns of an emergency call: no enabled webhook endpoint of the account wants"
    " call.emergency. In some countries the law asks for that.",
    "`c2c-stasis webhooks create URL --event call.emergency`, to something that alarms people on the spot.",
)
FAULTS: dict[str, Fault] = {
    Lack.TRUNK: TRUNK,
    Lack.CALLBACK_NUMBER: NUMBER,
    Lack.LOCATION: LOCATION,
    NOBODY_TOLD: TOLD,
}
SHOWN = 5  # users in one fact


async def look(patient: Patient) -> list[Finding]:
    """Ask the directory, as an emergency call does, about each user who has a device."""
    if not patient.config.trunks:
        return [well("no call leaves: there is no trunk")]
    found = gaps(await patient.directory(), patient.config.trunks, await patient.told_of_emergencies())
    return [FAULTS[gap.what].found(_fact(gap)) for gap in found] or [
        well("trunk, numbers, places and who is told are known")
    ]


def _fact(gap: Gap) -> str:
    if gap.account is None:
        return "every emergency call goes through ordinary trunks"
    whose = f"account {gap.account.name}"
    if not gap.users:
        return f"{whose}: no endpoint wants call.emergency"
    more = f" and {len(gap.users) - SHOWN} more" if len(gap.users) > SHOWN else ""
    return f"{whose}: {', '.join(user.name for user in gap.users[:SHOWN])}{more}"


CHECK = Check(
    "emergency calls", "Is everything prepared for somebody who needs help?", (TRUNK, NUMBER, LOCATION, TOLD), look
)
