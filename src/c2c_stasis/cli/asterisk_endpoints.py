"""Whether Asterisk has an endpoint, asked by a command that can do without the answer."""

import asyncio
import os

from c2c_stasis.cli.remote import Remote
from c2c_stasis.config import Config, ConfigError, load
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable


def warning_of_unknown(remote: Remote, endpoint: str) -> str:
    """What to say when Asterisk has no such endpoint; empty when it has, or cannot be asked from here."""
    try:
        config = load(remote.config, os.environ)
        known = asyncio.run(_known(config, endpoint))
    except (ConfigError, SwitchRefused, SwitchUnavailable, ValueError):
        return ""
    at = f"Asterisk at {config.ari.url} has no PJSIP endpoint {endpoint}"
    return "" if known else f"{at}: the device cannot ring. Those that it has: c2c-stasis devices import."


async def _known(config: Config, endpoint: str) -> bool:
    from c2c_stasis.ari.inspector import Inspector  # takes a third of a second, which no other command needs

    ari = config.ari
    inspector = Inspector(ari.url, ari.username, ari.password, timeout=ari.request_timeout)
    try:
        return await inspector.pjsip_object("endpoint", endpoint) is not None
    finally:
        await inspector.close()
