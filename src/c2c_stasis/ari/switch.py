"""Commands carried out over ARI: from what a call asks to Asterisk's operations."""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, assert_never

from c2c_stasis.ari.media import MEDIA_REPORT
from c2c_stasis.ari.transport import NeverSent
from c2c_stasis.call.commands import (
    Command,
    CreateBridge,
    CreateLeg,
    DestroyBridge,
    DialLeg,
    HangUpLeg,
    JoinLeg,
    PlayTone,
    StartRingback,
    StopRingback,
)
from c2c_stasis.call.model import Call, Identity, Party
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.ids import LegId, call_of

logger = logging.getLogger(__name__)

# `mixing` alone lets Asterisk move the media out of its core, where no tone or quality report reaches it.
BRIDGE_TYPE = "mixing,proxy_media"

# Names of tone zones in indications.conf where they differ from the region's own letters.
_TONE_ZONES = {"GB": "uk"}

_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\<>]')
# A number through a trunk, or a device, perhaps at one of its contacts; never both: Asterisk would call that address instead.
_NAME = "[A-Za-z0-9_.-]{1,64}"
_ENDPOINT = re.compile(rf"PJSIP/(?:\+?[0-9]{{2,32}}@{_NAME}|{_NAME}(?:/sips?:[!-~]+)?)")

GONE, CONFLICT, NOT_UP = 404, 409, 412
UNDIALLED, DIALLED = (
    "20",
    "19",
)  # hops that are left to a channel: as it is made, and dialled on behalf of one that we made


async def execute(operations: Any, app: str, call: Call, command: Command) -> None:
    """Carry out one command with asyncari's operations; raises as `Switch.execute` says."""
    match command:
        case CreateLeg():
            await _create_leg(operations, app, call, command)
        case DialLeg(leg_id, caller, timeout):
            await _dial(operations, leg_id, caller, timeout)
        case HangUpLeg(leg_id, cause):
            await _repeat(lambda: operations.channels.hangup(channelId=leg_id, reason_code=str(cause)), met={GONE})
        case CreateBridge():
            create = operations.bridges.createWithId
            await _repeat(lambda: create(bridgeId=call.id, type=BRIDGE_TYPE, name=call.id), met={CONFLICT})
        case JoinLeg(leg_id):
            await _repeat(
                lambda: operations.bridges.addChannel(
                    bridgeId=call.id,
                    channel=leg_id,
                    inhibitConnectedLineUpdates=True,  # else the phone's display loses the destination's number
                )
            )
        case StartRingback(leg_id):
            await operations.channels.ring(channelId=leg_id)
        case StopRingback(leg_id):
            await operations.channels.ringStop(channelId=leg_id)
        case PlayTone(leg_id, tone, region):
            media = f"tone:{tone};tonezone={tone_zone(region)}"
            await operations.channels.play(channelId=leg_id, media=media)
        case DestroyBridge():
            await _repeat(lambda: operations.bridges.destroy(bridgeId=call.id), met={GONE})
        case _:
            assert_never(command)


async def _create_leg(operations: Any, app: str, call: Call, command: CreateLeg) -> None:
    if not _ENDPOINT.fullmatch(command.endpoint):
        raise SwitchRefused(400, f"not an endpoint we dial: {command.endpoint!r}")
    variables = {
        "TIMEOUT(absolute)": str(command.lifetime),
        "CHANNEL(tonezone)": tone_zone(command.region),
        **MEDIA_REPORT,
    }
    if command.caller.number:
        variables["CALLERID(all)"] = _caller_id(command.caller)
    if command.identity is not Identity.SHOWN:
        variables |= _hidden(command)
    if command.shown is not None:
        variables["CONNECTEDLINE(name,i)"] = clean(command.shown.name)
        variables["CONNECTEDLINE(num,i)"] = clean(command.shown.number)
    await _repeat(
        lambda: operations.channels.create(
            endpoint=command.endpoint,
            app=app,
            appArgs=f"{call.id},{command.leg_id}",
            channelId=command.leg_id,
            variables=variables,
        ),
        met={CONFLICT},
    )


async def _dial(operations: Any, leg_id: str, caller: str | None, timeout: int) -> None:
    """Dial exactly once: a second `dial` cancels a leg that does not ring yet, so an answer that got lost is not asked for
    again; the leg's `Dial` event, or the call's deadline, tells what became of it."""
    optional = {"caller": caller} if caller else {}
    try:
        await operations.channels.dial(channelId=leg_id, timeout=timeout, **optional)
    except NeverSent:
        await operations.channels.dial(channelId=leg_id, timeout=timeout, **optional)
    except SwitchUnavailable as error:
        logger.warning(
            "no answer to a dial request", extra={"call_id": call_of(leg_id), "leg_id": leg_id, "error": str(error)}
        )


async def was_dialled(operations: Any, leg_id: LegId) -> bool | None:
    """Whether a silent leg was dialled on behalf of another: Asterisk then counts its `Max-Forwards` down, and shows nothing
    else of it (22.10.1)."""
    try:
        reply = await operations.channels.getChannelVar(channelId=leg_id, variable="CHANNEL(max_forwards)")
    except SwitchRefused:
        return None
    return {UNDIALLED: False, DIALLED: True}.get(str(reply.json().get("value")))


async def _repeat(request: Callable[[], Awaitable[Any]], met: frozenset[int] | set[int] = frozenset()) -> None:
    """Send a request whose ids make it safe to send again; `met` are the statuses that say it has been done already."""
    for last in (False, True):
        try:
            await request()
        except SwitchRefused as refusal:
            if refusal.status not in met:
                raise
        except SwitchUnavailable:
            if last:
                raise
            continue
        return


def _hidden(command: CreateLeg) -> dict[str, str]:
    """What withholds the number that a leg's far end would be shown, its own or that of who is dialled on its behalf.

    What a trunk makes of it is said by its endpoint: with `send_pai` and `trust_id_outbound` From is anonymous and
    P-Asserted-Identity names the number with `Privacy: id`; without, there is nothing but the anonymous From. The private
    number goes before the one that the dial brings along, so that the real one is told to nobody (all seen in 22.10.1).
    """
    if command.shown is not None:  # a phone of the user: on whose behalf the destination is dialled
        return {"CALLERID(pres)": "prohib"}
    if command.identity is Identity.ASSERTED:
        return {}
    return {"CONNECTEDLINE(priv-all,i)": "<anonymous>", "CONNECTEDLINE(priv-pres,i)": "prohib"}


def tone_zone(region: str) -> str:
    """The section of indications.conf for a region (ISO 3166-1)."""
    return _TONE_ZONES.get(region, region.lower())


def clean(text: str) -> str:
    """Text that is safe in a SIP header: CR and LF would add headers of their own (seen on Asterisk 22.10.1)."""
    return _UNSAFE.sub("", text)[:64]


def _caller_id(party: Party) -> str:
    return f'"{clean(party.name)}" <{clean(party.number)}>' if party.name else f"<{clean(party.number)}>"
