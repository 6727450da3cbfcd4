"""Can pages that are phones reach Asterisk?"""

import aiohttp

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

NOT_SET = Fault(
    "websocket_not_set",
    Status.CONFIG,
    "There are devices that are browsers, and their pages are not told where to register.",
    "Set websocket_url under [sip] to the address at which browsers reach Asterisk's websocket, and restart the service.",
)
CLOSED = Fault(
    "websocket_closed",
    Status.UNAVAILABLE,
    "Asterisk takes no SIP over its websocket: a page that is a phone cannot register, and does not ring.",
    "Load res_http_websocket.so, res_pjsip_transport_websocket.so and res_srtp.so, have a transport with protocol = ws in"
    " pjsip.conf and enabled = yes in http.conf, as the shipped files do, and restart Asterisk.",
)
UNREACHED = Fault(
    "websocket_unreached",
    Status.WARNING,
    "Asterisk takes SIP over its websocket, but not at the address that pages are told, as it is seen from here.",
    "Compare websocket_url under [sip] with the proxy in front of Asterisk: docs/browser-phone.md has one that works.",
)

ANSWERS_WITHIN = 4.0  # seconds


async def look(patient: Patient) -> list[Finding]:
    """Open the websocket as a page does: at the address that pages are told, and if it fails, at Asterisk itself."""
    browsers = [device for device in (await patient.directory()).devices if device.browser]
    if not browsers:
        return [well("no device of the directory is a browser")]
    url = patient.config.sip.websocket_url
    if not url:
        return [NOT_SET.found(f"{len(browsers)} devices are browsers")]
    wrong = await _refusal(url)
    if not wrong:
        return [well(f"{url} takes SIP, for {len(browsers)} devices that are browsers")]
    own = f"{patient.config.ari.url.replace('http', 'ws', 1).rstrip('/')}/ws"
    if own != url and not await _refusal(own):
        return [UNREACHED.found(f"{url}: {wrong}; {own} takes SIP")]
    return [CLOSED.found(f"{url}: {wrong}")]


async def _refusal(url: str) -> str:
    """Why no SIP can be spoken there; nothing when it can."""
    timeout = aiohttp.ClientTimeout(total=ANSWERS_WITHIN)
    try:
        # Whether browsers trust the certificate is not ours to say: it may be of a company's own authority.
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.ws_connect(url, protocols=("sip",), ssl=False) as socket,
        ):
            return "" if socket.protocol == "sip" else "it is a websocket, but not one for SIP"
    except aiohttp.WSServerHandshakeError as error:
        return f"it answers {error.status}, and opens no websocket"
    except TimeoutError:
        return f"no answer within {ANSWERS_WITHIN:g} s"
    except (aiohttp.ClientError, OSError) as error:
        return f"it cannot be reached: {error}"


CHECK = Check("browser phones", "Can pages that are phones reach Asterisk?", (NOT_SET, CLOSED, UNREACHED), look)
