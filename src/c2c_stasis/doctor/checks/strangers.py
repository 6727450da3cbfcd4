"""Does Asterisk take calls from somebody whom it does not know?"""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_network

from c2c_stasis.doctor.access_lists import Circle, Network, only, widest
from c2c_stasis.doctor.asterisk_files import FileUnread, Section
from c2c_stasis.doctor.check import DEADLINE_OF_ALL_ENDPOINTS, Check
from c2c_stasis.doctor.endpoints import every, is_anonymous, listed
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import NAME_THEM, Patient, Unseen

ANONYMOUS = Fault(
    "endpoint_anonymous",
    Status.CONFIG,
    "Asterisk takes calls from anybody on the network, without a password. Where they may lead only its dial plan limits.",
    "Remove the endpoint that the fact names from pjsip.conf, and res_pjsip_endpoint_identifier_anonymous.so from modules.conf;"
    " in an identify section, name the addresses of the carrier in match. Then restart Asterisk.",
)

BY_NAME = Fault(
    "endpoint_by_name",
    Status.WARNING,
    "An endpoint asks for no password, and its name is enough to be taken for it: whoever on the network writes it into From is"
    " the carrier (22.10.1), and his calls lead wherever the carrier's do.",
    "Set identify_by = ip for the endpoint in pjsip.conf, beside an identify section with the carrier's addresses, as the"
    " shipped template trunk does; then `asterisk -rx 'module reload res_pjsip.so'`. Where the carrier has no fixed address and"
    " the context leads nowhere that costs: doctor --ignore endpoint_by_name.",
)

IDENTIFIER = "res_pjsip_endpoint_identifier_anonymous.so"


async def look(patient: Patient) -> list[Finding]:
    """Look for endpoints that are given to strangers, by name or because they take every address."""
    there = await every(patient)
    devices = {device.endpoint for device in (await patient.directory()).devices}  # of these, another check tells
    strangers = [name for name in there if is_anonymous(name)]
    serves = IDENTIFIER in await patient.modules()
    state = "is there, and strangers are given it" if serves else f"is there; it waits only for {IDENTIFIER}"
    faults = [ANONYMOUS.found(f"endpoint {name} {state}") for name in strangers]
    by_name = [name for name in there if name not in {*devices, *strangers} and _is_known_by_name(there[name])]
    faults += [BY_NAME.found(f"no password, and known by name: {listed(by_name)}")] if by_name else []
    try:
        sections = patient.asterisk_files().whole("pjsip.conf").of_type("identify")
    except (Unseen, FileUnread) as reason:
        known = "no endpoint is called anonymous; whether an identify section takes every address cannot be seen"
        return faults or [unseen(f"{known}: {reason}", NAME_THEM)]
    faults += [
        ANONYMOUS.found(f"the identify section {one.name} gives endpoint {one.value('endpoint')} to {whom}")
        for one in sections
        if (whom := _strangers_of(one))
    ]
    return faults or [well("no endpoint takes calls from strangers")]


def _is_known_by_name(settings: dict[str, str]) -> bool:
    return not settings.get("auth") and "username" in settings.get("identify_by", "username").split(",")


def _strangers_of(identify: Section) -> str:
    """Who is taken for the carrier, in words, when these are more than anybody's own networks; else nothing."""
    networks = list(_networks(identify))
    if any(network.prefixlen == 0 for network in networks):
        return "every address"
    return "much of the internet" if widest([only(networks)]) == Circle.EVERYBODY else ""


def _networks(identify: Section) -> Iterator[Network]:
    for key, value in identify.settings:
        for text in value.split(",") if key == "match" else ():
            with suppress(ValueError):  # a name
                yield ip_network(text.strip(), strict=False)


CHECK = Check(
    "strangers",
    "Does Asterisk take calls from somebody unknown?",
    (ANONYMOUS, BY_NAME),
    look,
    DEADLINE_OF_ALL_ENDPOINTS,
)
