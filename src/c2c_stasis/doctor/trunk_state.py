"""How a trunk stands at Asterisk: its contacts, whether they answer, how fast, and where it registers."""

from dataclasses import dataclass
from enum import StrEnum

from c2c_stasis.ari.inspector import Helper
from c2c_stasis.config import Trunk
from c2c_stasis.doctor.patient import Patient


class Reach(StrEnum):
    """Whether a trunk can be reached."""

    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"
    NOT_ASKED = "not known"
    NO_CONTACT = "no address"
    UNKNOWN_ENDPOINT = "unknown endpoint"


@dataclass(frozen=True, slots=True)
class ContactState:
    """An address of a trunk; `status` in Asterisk's words. `rtt_ms` is None until it has answered an OPTIONS."""

    uri: str
    status: str
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class Registration:
    """Where Asterisk registers for a trunk. Whether it is registered now, ARI does not tell (22.10.1)."""

    server: str
    client: str


@dataclass(frozen=True, slots=True)
class TrunkState:
    """A trunk of the configuration as Asterisk sees it. `qualified` is whether Asterisk asks for its health, `asserts`
    whether it tells the carrier the number of an anonymous call.
    """

    trunk: Trunk
    endpoint: str
    reach: Reach
    contacts: tuple[ContactState, ...] = ()
    qualified: bool = False
    registration: Registration | None = None
    asserts: bool = False


async def look_at(patient: Patient, trunk: Trunk) -> TrunkState:
    """Ask Asterisk about one trunk. Raises `CannotSee` or `NotLoaded`."""
    name = trunk.pjsip_endpoint
    settings = await patient.endpoint(name)
    if settings is None:
        return TrunkState(trunk, name, Reach.UNKNOWN_ENDPOINT)
    aors = [aor.strip() for aor in settings.get("aors", "").split(",") if aor.strip()]
    await patient.require("func_pjsip_aor.so")
    helper = await patient.helper("func_pjsip_contact.so")
    contacts = tuple([contact for aor in aors for contact in await _contacts(helper, aor)])
    objects = [await patient.inspector.pjsip_object("aor", aor) for aor in aors]
    qualified = any(settings is not None and settings.get("qualify_frequency", "0") != "0" for settings in objects)
    asserts = all(settings.get(key) in ("true", "yes") for key in ("send_pai", "trust_id_outbound"))
    registration = await _registration(patient, name)
    return TrunkState(trunk, name, _reach(contacts), contacts, qualified, registration, asserts)


async def _contacts(helper: Helper, aor: str) -> list[ContactState]:
    ids = (await helper.read(f"PJSIP_AOR({aor},contact)") or "").split(",")
    return [await _contact(helper, contact_id) for contact_id in ids if contact_id]


async def _contact(helper: Helper, contact_id: str) -> ContactState:
    uri, status, rtt = [await helper.read(f"PJSIP_CONTACT({contact_id},{field})") for field in ("uri", "status", "rtt")]
    return ContactState(uri or "", status or "", _milliseconds(rtt))


def _milliseconds(microseconds: str | None) -> float | None:
    """Asterisk says N/A until there was an answer."""
    return int(microseconds) / 1000 if microseconds and microseconds.isdecimal() else None


def _reach(contacts: tuple[ContactState, ...]) -> Reach:
    states = {contact.status for contact in contacts}
    if not states:
        return Reach.NO_CONTACT
    if "Reachable" in states:
        return Reach.REACHABLE
    return Reach.UNREACHABLE if states == {"Unreachable"} else Reach.NOT_ASKED


async def _registration(patient: Patient, endpoint: str) -> Registration | None:
    """The registration of the endpoint's name: ARI finds objects by name only."""
    found = await patient.inspector.pjsip_object("registration", endpoint)
    return Registration(found["server_uri"], found["client_uri"]) if found else None
