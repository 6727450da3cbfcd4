"""Does Asterisk have the devices of the directory, and is any of them there?"""

from dataclasses import replace

from c2c_stasis.directory.model import DirectoryRows
from c2c_stasis.doctor.check import DEADLINE_OF_ALL_ENDPOINTS, Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import CannotSee, NotLoaded, Patient

NONE = Fault(
    "devices_none",
    Status.WARNING,
    "The directory has no device: nobody can place a call.",
    "Give a user a device: `c2c-stasis init --user NAME --device ENDPOINT`.",
)
OFFLINE = Fault(
    "devices_offline",
    Status.WARNING,
    "No device of the directory is registered: every call ends with the reason no_device.",
    "Start a phone; see `asterisk -rx 'pjsip show contacts'`, and the log for refused registrations.",
)
UNKNOWN = Fault(
    "device_unknown",
    Status.CONFIG,
    "Asterisk has no endpoint of the name that a device has. The device never rings.",
    "Add the endpoint to pjsip.conf, or name the one that Asterisk has: `c2c-stasis devices update DEVICE --endpoint NAME`;"
    " `c2c-stasis devices import` lists them all.",
)

TRUNK = Fault(
    "device_is_trunk",
    Status.CONFIG,
    "A device has the endpoint of a trunk: who calls from it rings the carrier, and not the user.",
    "Delete the device, `c2c-stasis devices delete DEVICE`, or name another endpoint in [[trunks]].",
)

SHOWN = 10  # names in one fact


async def look(patient: Patient) -> list[Finding]:
    """Hold the devices of the directory against the endpoints of Asterisk."""
    directory = await patient.directory()
    names = [device.endpoint for device in directory.devices]
    if not names:
        return [NONE.found("the directory has no device")]
    states = await patient.endpoint_states()
    # An endpoint of a database is listed only once Asterisk has met it; so ask for it before it is called unknown.
    unlisted = await patient.endpoints(name for name in names if name not in states)
    ours = {device.endpoint for device in directory.devices if device.provisioned}  # of these, another check tells
    missing = [name for name, settings in unlisted.items() if settings is None]
    unknown = [name for name in missing if name not in ours]
    found = _on_trunks(directory, {trunk.pjsip_endpoint for trunk in patient.config.trunks})
    found += [_unknown(directory, unknown)] if unknown else []
    online = sum(states.get(name) == "online" for name in names)
    if not online and not await _any_registered(patient, [name for name in names if name not in missing]):
        return [*found, OFFLINE.found(f"none of {len(names)} devices is registered")]
    return found or [well(f"{online or 'some'} of {len(names)} devices are registered")]


async def _any_registered(patient: Patient, names: list[str]) -> bool:
    """Whether one of them has a contact: until the first OPTIONS is answered Asterisk calls a registered device offline."""
    try:
        helper = await patient.helper("chan_pjsip.so")
    except (CannotSee, NotLoaded):
        return False
    for name in names:
        if await helper.read(f"PJSIP_DIAL_CONTACTS({name})"):
            return True
    return False


def _unknown(directory: DirectoryRows, endpoints: list[str]) -> Finding:
    """The devices of these endpoints, and the command that mends the first."""
    fix = UNKNOWN.fix.replace("update DEVICE", f"update {endpoints[0]}")
    return replace(UNKNOWN.found(f"Asterisk has no endpoint {_with_users(directory, endpoints)}"), fix=fix)


def _on_trunks(directory: DirectoryRows, trunks: set[str]) -> list[Finding]:
    """The devices that are trunks: the trunks may be younger, and SIGHUP refuses none."""
    both = [device.endpoint for device in directory.devices if device.endpoint in trunks]
    if not both:
        return []
    fix = TRUNK.fix.replace("delete DEVICE", f"delete {both[0]}")
    return [replace(TRUNK.found(f"a trunk leads out through {_with_users(directory, both)}"), fix=fix)]


def _with_users(directory: DirectoryRows, endpoints: list[str]) -> str:
    """The devices of these endpoints, each with its user."""
    users = {user.id: user.name for user in directory.users}
    whose = {device.endpoint: users.get(device.user_id, "") for device in directory.devices}
    return _listed([f"{endpoint} (of {whose[endpoint]})" for endpoint in endpoints])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


CHECK = Check(
    "devices",
    "Are the devices of the directory in Asterisk, and is any there?",
    (NONE, OFFLINE, UNKNOWN, TRUNK),
    look,
    DEADLINE_OF_ALL_ENDPOINTS,
)
