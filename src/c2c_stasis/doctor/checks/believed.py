"""Does the service believe anybody who says that he is a proxy, and may webhooks go anywhere?"""

from ipaddress import ip_address

from c2c_stasis.config import Networks
from c2c_stasis.doctor.access_lists import Circle, only, widest
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

PROXIES = Fault(
    "proxies_everybody",
    Status.WARNING,
    "Whoever is believed to be a proxy says from which address a request comes: so anybody can use a key that is for some"
    " networks only, and no limit by address holds him.",
    "Name the addresses of your proxies alone in [http] trusted_proxies.",
)
WEBHOOKS = Fault(
    "webhooks_anywhere",
    Status.WARNING,
    "Webhooks may go anywhere inside, or to where a cloud hands out passwords: who has a platform key reads the beginning of"
    " what is answered there.",
    "Name in [webhooks] allow_subnets the networks of your receivers alone, as small as they are.",
)

# Where clouds hand out passwords to whoever asks from inside.
METADATA = tuple(map(ip_address, ("169.254.169.254", "168.63.129.16", "fd00:ec2::254")))


async def look(patient: Patient) -> list[Finding]:
    """Read the two lists of networks in our own configuration."""
    proxies, receivers = patient.config.http.trusted_proxies, patient.config.webhooks.allow_subnets
    faults = [PROXIES.found(f"[http] trusted_proxies = {proxies}")] if _is_everybody(proxies) else []
    if _is_everybody(receivers) or any(one in network for one in METADATA for network in receivers.ranges):
        faults.append(WEBHOOKS.found(f"[webhooks] allow_subnets = {receivers}"))
    return faults or [
        well(f"proxies are {str(proxies) or 'none'}; webhooks inward go to {str(receivers) or 'nowhere'}")
    ]


def _is_everybody(networks: Networks) -> bool:
    return widest([only(networks.ranges)]) == Circle.EVERYBODY


CHECK = Check("believed", "Is anybody believed to be a proxy, and may webhooks go anywhere?", (PROXIES, WEBHOOKS), look)
