"""Which PJSIP endpoints Asterisk has; asked once, without a running service."""

from dataclasses import dataclass
from urllib.parse import urljoin

from c2c_stasis.ari.transport import Transport
from c2c_stasis.config import Ari


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of Asterisk: a phone or a trunk. Online means registered, or a trunk that answers."""

    name: str
    online: bool


async def list_endpoints(ari: Ari) -> list[Endpoint]:
    """Every PJSIP endpoint, by name. Raises `SwitchRefused` or `SwitchUnavailable`."""
    transport = Transport(ari.url, ari.username, ari.password, connections=1, timeout=ari.request_timeout)
    try:
        reply = await transport.request("GET", urljoin(ari.url, "/ari/endpoints/PJSIP"))
    finally:
        await transport.shut()
    found = [Endpoint(str(one["resource"]), one.get("state") == "online") for one in reply.json()]
    return sorted(found, key=lambda endpoint: endpoint.name)
