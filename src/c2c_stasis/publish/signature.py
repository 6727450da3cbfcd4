"""How a receiver knows that an event is ours: two families of signatures over the same bytes.

Standard Webhooks 1.0.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature`) may carry several signatures, so during a
rotation both secrets sign. Of `X-DialStack-Signature` receivers read one signature only: it changes to the new secret when
the old one has ended.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

from c2c_stasis.directory.webhooks import WebhookEndpoint

PREFIX = "whsec_"


def headers_for(endpoint: WebhookEndpoint, event_id: str, body: bytes, now: float) -> dict[str, str]:
    """The headers that sign these bytes for this endpoint at this time (Unix seconds)."""
    t = int(now)
    rotating = endpoint.previous_secret is not None and now < (endpoint.previous_until or 0)
    old = endpoint.previous_secret if rotating else None
    standard = [_standard(secret, event_id, t, body) for secret in (endpoint.secret, old) if secret is not None]
    return {
        "X-DialStack-Signature": f"t={t},v1={_hex(old or endpoint.secret, t, body)}",
        "webhook-id": event_id,
        "webhook-timestamp": str(t),
        "webhook-signature": " ".join(standard),
    }


def _hex(secret: str, t: int, body: bytes) -> str:
    return hmac.new(secret.encode(), b"%d." % t + body, sha256).hexdigest()


def _standard(secret: str, event_id: str, t: int, body: bytes) -> str:
    signed = hmac.new(_key(secret), f"{event_id}.{t}.".encode() + body, sha256).digest()
    return f"v1,{b64encode(signed).decode()}"


def _key(secret: str) -> bytes:
    """What stands behind the prefix, in base64."""
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is not in base64") from error
