"""From a request to a call that may set out: who is called, from what number, and on which legs."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from c2c_stasis.call.model import (
    Call,
    Destination,
    DestinationKind,
    EmergencyDetails,
    Leg,
    LegOutcome,
    LegState,
    Limits,
    Now,
    Party,
    Route,
    Side,
)
from c2c_stasis.config import Emergency, RouteRule, Trunk
from c2c_stasis.directory import dial_strings, emergency, trunks
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.directory.dial_strings import ALONE, Dialled
from c2c_stasis.directory.directory import Directory, party_of
from c2c_stasis.directory.model import Account, Device, User
from c2c_stasis.errors import NumberNotDialable
from c2c_stasis.ids import CALL, CallId, leg_id, new_id
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.rules import Rule
from c2c_stasis.ports import Contact, Switch
from c2c_stasis.service.choosing import choose
from c2c_stasis.service.permission import Permission

MOST_CONTACTS = 20  # legs a side; more phones than this ringing for one person is a mistake in the directory


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that may be dialled, what was asked of the policy about it, and what that said; limits were not asked yet."""

    call: Call
    request: Request
    judged: Decision


class Planner:
    """Plans calls with the directory and the switch as they are now; nothing rings here."""

    def __init__(
        self,
        directory: Directory,
        switch: Switch,
        ways_out: Sequence[Trunk],
        rules: Sequence[RouteRule],
        permission: Permission,
        settings: Emergency = ALONE,
    ) -> None:
        self._directory = directory
        self._switch = switch
        self._trunks = ways_out
        self._rules = rules
        self._permission = permission
        self._settings = settings

    def plan(
        self,
        account: Account,
        user: User,
        dial_string: str,
        limits: Limits,
        now: Now,
        *,
        livemode: bool,
        metadata: dict[str, str],
        options: CallOptions = ORDINARY,
        key_id: str | None = None,
    ) -> Planned:
        """The call this request asks for, accepted but not begun; `limits` are the longest times there may be.

        An emergency call is not refused for an option that cannot be. Raises `NumberNotDialable`, `DestinationNotAllowed`, and
        for options `InvalidRequest` or `DeviceNotFound`.
        """
        call_id = CallId(new_id(CALL))
        region = self._directory.region_of(account, user.id)
        dialled = self.read(account, user, dial_string)
        request = Request(dialled.kind, dialled.number, region, account.id, user.id, key_id, livemode)
        judged = self._permission.judge(request, account)
        judged.check()
        lenient = dialled.kind is DestinationKind.EMERGENCY
        chosen = choose(self._directory, account, user, options, limits, lenient=lenient, call_id=call_id)
        own_legs, shown = self._device_legs(call_id, Side.A, chosen.devices, for_help=lenient), chosen.number
        others: tuple[Route, ...] = ()
        details: EmergencyDetails | None = None
        if dialled.kind is DestinationKind.EXTENSION:
            callee = self.callee(account, user, dialled.number)
            destination = Destination(dialled.kind, Party(dialled.number, callee.name), callee.id)
            far_legs = self._callee_legs(call_id, callee)
            caller, shown = self.internal_party(user), None
        else:
            ways = trunks.choose(self._trunks, dialled, account.id, self._rules, livemode=livemode)
            first, *rest = [Route(trunk.name, trunks.endpoint(trunk, dialled), trunk.trusted) for trunk in ways]
            details = emergency.details(self._directory, user, dialled, shown, ways) if lenient else None
            destination = Destination(dialled.kind, Party(dialled.number))
            number = leg_id(call_id, Side.B, 1)
            far_legs = (Leg(number, Side.B, first.endpoint, trunk=first.trunk, trusted=first.trusted),)
            others = tuple(rest)
            caller = party_of(shown, account) if shown else Party("")
        call = Call(
            id=call_id,
            platform_id=account.platform_id,
            account_id=account.id,
            user_id=user.id,
            dial_string=dial_string,
            destination=destination,
            caller=caller,
            region=region,
            limits=chosen.limits,
            legs=own_legs + far_legs,
            accepted_at=now.wall,
            clock_zero=now.mono,
            boot=now.boot,
            livemode=livemode,
            metadata=metadata,
            did_id=shown.id if shown else None,
            switch_started_at=self._switch.started_at,
            rule=judged.rule,
            key_id=key_id,
            routes=others,
            on_any_failure=lenient,
            anonymous=chosen.anonymous,
            emergency_details=details,
        )
        return Planned(call, request, judged)

    def read(self, account: Account, user: User, dial_string: str) -> Dialled:
        """What this user means by this text. Raises `NumberNotDialable`."""
        found = emergency.meant(self._directory, account, user, dial_string, self._settings)
        if found is not None:
            return found
        region = self._directory.region_of(account, user.id)
        return dial_strings.parse(
            dial_string, region=account.region, extension_length=account.extension_length, dialled_in=region
        )

    def callee(self, account: Account, user: User, number: str) -> User:
        """Whom an extension leads to, for this user. Raises `NumberNotDialable`."""
        extension = self._directory.extension(account.id, number)
        callee = self._directory.user(account.id, extension.user_id) if extension else None
        if callee is None:
            raise NumberNotDialable(f"{number} is no extension of this account", Rule.UNKNOWN_EXTENSION)
        if callee.id == user.id:
            raise NumberNotDialable(f"{number} is the user's own extension", Rule.OWN_EXTENSION)
        return callee

    def internal_party(self, user: User) -> Party:
        """How a colleague sees this user."""
        own = self._directory.extensions_of(user)
        return Party(own[0].number if own else "", user.name)

    def _callee_legs(self, call_id: CallId, callee: User) -> tuple[Leg, ...]:
        devices = self._directory.devices(callee.id)
        if callee.do_not_disturb:
            return tuple(_undialled(call_id, Side.B, i, device, LegOutcome.BUSY) for i, device in enumerate(devices, 1))
        return self._device_legs(call_id, Side.B, devices)

    def _device_legs(
        self, call_id: CallId, side: Side, devices: Sequence[Device], *, for_help: bool = False
    ) -> tuple[Leg, ...]:
        """A leg for each registered contact of each device, and one that has already ended for a device without any.

        A contact that did not answer lately is dialled for help alone: one lost packet makes a phone such a contact. And of too
        many, those that answered go first.
        """
        places: list[tuple[Device, Contact | None]] = []
        for device in devices:
            contacts = self._switch.contacts(device.endpoint)
            places += [(device, contact) for contact in contacts] or [(device, None)]
        if for_help and len(places) > MOST_CONTACTS:
            places.sort(key=lambda place: place[1] is None or not place[1].reachable)
        legs: list[Leg] = []
        for device, contact in places[:MOST_CONTACTS]:
            number = len(legs) + 1
            if contact is None:
                legs.append(_undialled(call_id, side, number, device, LegOutcome.UNREACHABLE))
            elif contact.reachable or for_help:
                # Asterisk dials one contact of an endpoint only, and of those that answered, so others by their own address.
                alone = contact.reachable and len(self._switch.contacts(device.endpoint)) == 1
                target = f"PJSIP/{device.endpoint}" + ("" if alone else f"/{contact.uri}")
                leg = Leg(leg_id(call_id, side, number), side, target, device.id, device.endpoint, contact.uri)
                legs.append(replace(leg, user_agent=contact.user_agent))
            else:
                legs.append(_undialled(call_id, side, number, device, LegOutcome.UNREACHABLE, contact.uri))
        return tuple(legs)


def _undialled(call_id: CallId, side: Side, number: int, device: Device, outcome: LegOutcome, contact: str = "") -> Leg:
    return Leg(
        leg_id(call_id, side, number),
        side,
        "",
        device.id,
        device.endpoint,
        contact,
        state=LegState.ENDED,
        outcome=outcome,
        ended_at=0.0,
    )
