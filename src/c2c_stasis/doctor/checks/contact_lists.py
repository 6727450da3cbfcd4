"""Can whoever has a phone's password have calls sent anywhere?"""

from c2c_stasis.doctor.access_lists import Circle, lists_of, widest
from c2c_stasis.doctor.asterisk_files import AsteriskFiles, FileUnread, Section, is_true
from c2c_stasis.doctor.check import DEADLINE_OF_ALL_ENDPOINTS, Check
from c2c_stasis.doctor.endpoints import in_use, listed
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import NAME_THEM, Patient, Unseen

MISSING = Fault(
    "contact_acl_missing",
    Status.WARNING,
    "A phone may register any address as its own, and the service dials it: whoever has the password of one sends calls to any"
    " machine that Asterisk reaches.",
    "Set contact_acl = phone-contacts for the endpoint in pjsip.conf, with that section of the shipped acl.conf and the"
    " networks of your phones; for phones that the service makes, contact_acl under [sip]. Then `asterisk -rx 'module reload"
    " res_pjsip.so'`. Where phones may be anywhere: doctor --ignore contact_acl_missing.",
)


async def look(patient: Patient) -> list[Finding]:
    """Read the setting of every device's endpoint. A browser needs none: it is reached through its own websocket."""
    devices = {device.endpoint for device in (await patient.directory()).devices}
    phones = {
        name: settings
        for name, settings in (await in_use(patient)).items()
        if name in devices and not is_true(settings.get("webrtc", ""))
    }
    names = {name: settings.get("contact_acl", "") for name, settings in phones.items()}
    without = [name for name, lists in names.items() if not lists]
    try:
        files = patient.asterisk_files()
        sections = files.whole("pjsip.conf").of_type("endpoint")
        own = {one.name for one in sections if one.value("contact_deny")}
        open_lists = _open(files, {one for name in names.values() for one in name.split(",") if one})
    except (Unseen, FileUnread) as reason:
        faults = _faults(without)
        return faults or [
            unseen(f"{len(names)} phones have a contact_acl; what it permits cannot be seen: {reason}", NAME_THEM)
        ]
    # ARI does not tell lists that stand in the endpoint itself.
    faults = _faults([name for name in without if name not in own])
    faults += [MISSING.found(f"the list {one} lets in the whole internet") for one in open_lists]
    return faults or [well(f"{len(phones)} phones register from known networks only")]


def _faults(without: list[str]) -> list[Finding]:
    return [MISSING.found(f"no contact_acl: {listed(without)}")] if without else []


def _open(files: AsteriskFiles, names: set[str]) -> list[str]:
    """Those lists that let everybody in; one that is not there is none."""
    return sorted(name for name in names if _widest(files, name) == Circle.EVERYBODY)


def _widest(files: AsteriskFiles, name: str) -> Circle:
    return widest(lists_of(Section(name, [("acl", name)]), files))


CHECK = Check(
    "contacts",
    "Can whoever has a phone's password have calls sent anywhere?",
    (MISSING,),
    look,
    DEADLINE_OF_ALL_ENDPOINTS,
)
