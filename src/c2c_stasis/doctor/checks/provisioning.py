"""Can the service make phones in Asterisk, does Asterisk have those it made, and are they told where to register?"""

from typeid import TypeID

from c2c_stasis.app import sip_server
from c2c_stasis.ari.phone_objects import Settings, differs, phone_objects
from c2c_stasis.directory.model import Device
from c2c_stasis.directory.sip_account import Registrant
from c2c_stasis.doctor.check import DEADLINE_OF_ALL_ENDPOINTS, Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import CannotSee, Patient

REFUSED = Fault(
    "provisioning_refused",
    Status.CONFIG,
    "Asterisk has no place for phones that are made over ARI: such a phone cannot register, and one that could is gone when"
    " Asterisk restarts.",
    "Add the lines of the shipped sorcery.conf, load res_sorcery_astdb.so and res_sorcery_memory_cache.so, and restart"
    " Asterisk.",
)
OUT_OF_STEP = Fault(
    "phones_out_of_step",
    Status.UNAVAILABLE,
    "A phone that the service made is not in Asterisk, or is not as the directory says: it cannot register, or somebody else"
    " can.",
    "Start the service, which puts it right when it connects; if it runs already, its log says what Asterisk refuses.",
)
LOCAL = Fault(
    "sip_domain_local",
    Status.WARNING,
    "Phones that are made here are told to register at an address that is this machine only from this machine's view.",
    "Set domain under [sip] to the name or address at which phones reach Asterisk.",
)

SHOWN = 10  # names in one fact
_NOBODY = "0" * 32  # the digest of no password that anybody knows


async def look(patient: Patient) -> list[Finding]:
    """Make a phone that nobody can use and remove it, and look at those that should be there; without any there is no need."""
    phones = [device for device in (await patient.directory()).devices if device.provisioned]
    if not phones:
        return [well("no phone of the directory is made by the service")]
    await patient.info()
    if not await patient.may_write():
        raise CannotSee("the ARI user may only read")
    refused = await _refused(patient)
    found = [REFUSED.found(f"Asterisk refuses {' and '.join(refused)}")] if refused else []
    wrong = [] if refused else [phone.endpoint for phone in phones if not await _in_step(patient, phone)]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        found.append(OUT_OF_STEP.found(f"Asterisk does not have as it should {', '.join(wrong[:SHOWN])}{more}"))
    domain = sip_server(patient.config).domain
    if domain in ("localhost", "[::1]") or domain.startswith("127."):
        found.append(LOCAL.found(f"phones are told {domain}"))
    return found or [well(f"{len(phones)} phones are as the directory says, and are told {domain}")]


async def _refused(patient: Patient) -> list[str]:
    """The kinds of objects that Asterisk does not keep."""
    name = str(TypeID(prefix="doctor"))
    objects = phone_objects(name, Registrant(_NOBODY), patient.config.sip.contact_acl)
    return [kind for kind, settings in objects.items() if not await patient.inspector.keeps(kind, name, settings)]


async def _in_step(patient: Patient, phone: Device) -> bool:
    objects = phone_objects(phone.endpoint, phone.registrant, patient.config.sip.contact_acl)
    return all([await _same(patient, kind, phone.endpoint, settings) for kind, settings in objects.items()])


async def _same(patient: Patient, kind: str, name: str, settings: Settings) -> bool:
    there = await patient.inspector.pjsip_object(kind, name)
    return there is not None and not differs(settings, there)


CHECK = Check(
    "provisioning",
    "Can the service make phones, and are those it made in Asterisk?",
    (REFUSED, OUT_OF_STEP, LOCAL),
    look,
    DEADLINE_OF_ALL_ENDPOINTS,
)
