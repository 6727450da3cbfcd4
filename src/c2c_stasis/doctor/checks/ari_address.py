"""Who can come to ARI over the network, and does its password travel in the open?"""

from urllib.parse import urlsplit

from c2c_stasis.doctor.access_lists import AccessList, Circle, circle_of, lists_of, widest
from c2c_stasis.doctor.asterisk_files import AsteriskFiles, FileUnread, Section, is_true
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import NAME_THEM, Patient, Unseen

PUBLIC = Fault(
    "ari_public",
    Status.CONFIG,
    "Everybody on the network, and perhaps on the internet, can come to ARI and guess its password. Who has it has the calls,"
    " the SIP passwords and the modules of Asterisk.",
    "Set bindaddr = 127.0.0.1 in http.conf and restart Asterisk; or permit in [/ari] only who needs it, as the shipped"
    " http.conf does.",
)
PLAIN = Fault(
    "ari_plain_http",
    Status.WARNING,
    "ARI is used, or can be, over plain HTTP from other machines: who reads along has its password.",
    "Set bindaddr = 127.0.0.1 in http.conf; for a service on another machine tlsenable = yes with a certificate, and an https"
    " [ari] url. Where only the containers of service and Asterisk share that network: doctor --ignore ari_plain_http.",
)

ARI = "/ari"
TLS_PORT = ":8089"


async def look(patient: Patient) -> list[Finding]:
    """Judge our own way to ARI, and then every way that http.conf and ari.conf leave open."""
    faults = _our_way(patient)
    bound = await patient.setting("http.conf", "general", "bindaddr")
    tls = await patient.setting("http.conf", "general", "tlsbindaddr") or f"{bound}{TLS_PORT}"
    has_tls = is_true(await patient.setting("http.conf", "general", "tlsenable"))
    plain, safe = circle_of(bound) if bound else Circle.NOBODY, circle_of(_host(tls)) if has_tls else Circle.NOBODY
    if max(plain, safe) <= Circle.THIS_MACHINE:
        return faults or [well(f"ARI listens on {bound or 'no address'} only")]
    where = " and ".join([f"http://{bound}"] * (plain > Circle.NOBODY) + [f"https://{tls}"] * has_tls)
    try:
        let_in = _let_in(patient.asterisk_files())
    except (Unseen, FileUnread) as reason:
        return [*faults, unseen(f"ARI listens on {where}; whom it lets in cannot be seen: {reason}", NAME_THEM)]
    if min(let_in, max(plain, safe)) == Circle.EVERYBODY:
        faults.append(PUBLIC.found(f"ARI listens on {where} and lets in the whole internet"))
    if min(let_in, plain) > Circle.THIS_MACHINE:
        faults.append(PLAIN.found(f"ARI listens on http://{bound} and lets in other machines"))
    return faults or [well(f"ARI listens on {where} and lets in {_WORDS[let_in]}")]


_WORDS = {
    Circle.NOBODY: "nobody",
    Circle.THIS_MACHINE: "this machine only",
    Circle.PRIVATE: "private networks only",
    Circle.NAMED: "the networks that are named only",
    Circle.EVERYBODY: "everybody",
}


def _our_way(patient: Patient) -> list[Finding]:
    url = urlsplit(patient.config.ari.url)
    if url.scheme == "https" or circle_of(url.hostname or "") <= Circle.THIS_MACHINE:
        return []
    return [PLAIN.found(f"[ari] url is {patient.config.ari.url}: plain HTTP to another machine")]


def _let_in(files: AsteriskFiles) -> Circle:
    """Who gets past the access lists: those of http.conf for paths above or of ARI, and those of the ARI users."""
    restrictions = [lists_of(section, files) for section in files.whole("http.conf").sections if _covers_ari(section)]
    path = [one for lists in restrictions for one in lists]
    users = [lists_of(section, files) for section in files.whole("ari.conf").of_type("user")]
    return max((widest([*path, *lists]) for lists in users or [[AccessList()]]), default=Circle.NOBODY)


def _covers_ari(section: Section) -> bool:
    """Whether a section limits all of ARI: a restriction holds for whatever begins with its name."""
    return section.value("type") == "restriction" and not section.template and ARI.startswith(section.name)


def _host(address: str) -> str:
    """The host of `host:port`, `[v6]:port`, `host` or a bare IPv6 address."""
    if address.startswith("[") or address.count(":") == 1:
        return address.rpartition(":")[0] if not address.endswith("]") else address
    return address.removesuffix(TLS_PORT) if address.endswith(TLS_PORT) else address


CHECK = Check("ari address", "Who can come to ARI, and can others read along?", (PUBLIC, PLAIN), look)
