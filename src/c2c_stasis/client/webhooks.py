"""What a server gets that an account has named as a webhook endpoint: whether it is genuine, and what it tells.

    told = received(body, headers, secret)         # `body` is what came, as bytes

Signatures are those of Standard Webhooks 1.0.0 (docs/webhooks.md).
"""

import binascii
import hmac
import time
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from c2c_stasis.client.errors import NotGenuine
from c2c_stasis.client.records import Event, Notice

TOLERANCE = 300.0
"""Seconds by which the clocks of sender and receiver may differ, and which a request may be old."""

_PREFIX = "whsec_"
_OF_ENDPOINTS = "webhook_endpoint."


def received(body: bytes, headers: Mapping[str, str], *secrets: str, tolerance: float = TOLERANCE) -> Event | Notice:
    """The event in a request to a webhook endpoint; of several secrets one must have signed it.

    It may come twice, then `id` is the same. Events that are not of calls (`webhook_endpoint.test`) are a `Notice`. Raises
    `NotGenuine`, and `ValueError` when a secret is none.
    """
    keys = [_key(secret) for secret in secrets]
    told = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, sent_at, signatures = (told[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise NotGenuine(f"the header {error.args[0]} is missing") from error
    if not (sent_at.isascii() and sent_at.isdecimal()):
        raise NotGenuine("webhook-timestamp is no time")
    signed = f"{message_id}.{sent_at}.".encode() + body
    if not any(_signed_by(key, signed, signatures) for key in keys):
        raise NotGenuine("nobody signed this who has a secret of this endpoint")
    if abs(time.time() - int(sent_at)) > tolerance:
        raise NotGenuine("it is too old, or the clock of this machine is wrong")
    try:
        event = msgspec.json.decode(body, type=Notice)
        return event if event.type.startswith(_OF_ENDPOINTS) else msgspec.json.decode(body, type=Event)
    except msgspec.DecodeError as error:
        raise NotGenuine("it is no event of this API") from error


def _signed_by(key: bytes, signed: bytes, signatures: str) -> bool:
    expected = hmac.new(key, signed, sha256).digest()
    found = False
    for one in signatures.split():
        version, _, text = one.partition(",")
        try:
            found |= version == "v1" and hmac.compare_digest(expected, b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            continue
    return found


def _key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a webhook secret is whsec_ and base64 behind it") from error
