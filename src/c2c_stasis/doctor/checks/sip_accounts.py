"""Can the account of a phone be guessed, or used without a password?"""

from c2c_stasis.doctor.check import DEADLINE_OF_ALL_ENDPOINTS, Check
from c2c_stasis.doctor.endpoints import in_use, listed
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

GUESSABLE = Fault(
    "device_guessable",
    Status.WARNING,
    "A device has a number for a name. Scanners try 100, 101, 1000 with common passwords, all day.",
    "Give the endpoint a name that nobody guesses, such as a random word, and name it with `c2c-stasis devices update`;"
    " extensions are the service's, and need no endpoint of that name. Where passwords are long: doctor --ignore"
    " device_guessable.",
)
OPEN = Fault(
    "device_without_password",
    Status.CONFIG,
    "A device's endpoint asks for no password: whoever names it in a request is it.",
    "Give the endpoint an auth section with a password in pjsip.conf, and run `asterisk -rx 'module reload res_pjsip.so'`.",
)


async def look(patient: Patient) -> list[Finding]:
    """Look at the names and the authentication of the devices' endpoints."""
    devices = {device.endpoint for device in (await patient.directory()).devices}
    used = {name: settings for name, settings in (await in_use(patient)).items() if name in devices}
    unprotected = [name for name, settings in used.items() if not settings.get("auth")]
    guessable = [name for name in used if name.isdecimal()]
    faults = [OPEN.found(f"without a password: {listed(unprotected)}")] if unprotected else []
    faults += [GUESSABLE.found(f"numbers for names: {listed(guessable)}")] if guessable else []
    return faults or [well(f"{len(used)} devices have a password, and no number for a name")]


CHECK = Check(
    "sip accounts",
    "Can a phone's account be guessed, or used without a password?",
    (GUESSABLE, OPEN),
    look,
    DEADLINE_OF_ALL_ENDPOINTS,
)
