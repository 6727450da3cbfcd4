"""What would become of a request for a call: everything that placing it would ask is asked, and nothing rings or is counted."""

from collections.abc import Sequence

from msgspec.structs import replace

from c2c_stasis.call.attempts import EMERGENCY_LIFETIME
from c2c_stasis.call.model import DestinationKind, EmergencyDetails, Lack, Limits, Party
from c2c_stasis.config import Emergency, RouteRule, Trunk
from c2c_stasis.directory import emergency, trunks
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.directory.dial_strings import Dialled
from c2c_stasis.directory.directory import Directory, party_of
from c2c_stasis.directory.model import Account, Device, PhoneNumber, User
from c2c_stasis.errors import DestinationNotAllowed, DeviceNotFound, InvalidRequest, NumberNotDialable
from c2c_stasis.ids import CallId
from c2c_stasis.policy.request import Decision, Request, refused
from c2c_stasis.policy.rules import Rule
from c2c_stasis.ports import Preflight, Ringable, Switch
from c2c_stasis.service.choosing import Chosen, choose
from c2c_stasis.service.permission import Permission
from c2c_stasis.service.placing import MOST_CONTACTS, Planner

_LACKS = {
    Lack.TRUNK: "no trunk is marked for emergency calls: it would go through an ordinary one",
    Lack.CALLBACK_NUMBER: "no number is shown: emergency services could not call back",
    Lack.LOCATION: "nobody knows where the user is: neither the user nor a device has a location",
}
_NO_CALL = CallId("")  # in the log, where options of an emergency request are let pass


class Rehearsal:
    """Goes the way of `Accepting` and `Planner` to its end, also where they would stop: who asks wants to see it whole."""

    def __init__(
        self,
        directory: Directory,
        switch: Switch,
        ways_out: Sequence[Trunk],
        rules: Sequence[RouteRule],
        permission: Permission,
        settings: Emergency,
    ) -> None:
        self._directory = directory
        self._switch = switch
        self._trunks = ways_out
        self._rules = rules
        self._permission = permission
        self._planner = Planner(directory, switch, ways_out, rules, permission, settings)

    def of(
        self,
        account: Account,
        user: User,
        dial_string: str,
        limits: Limits,
        now: float,
        *,
        livemode: bool,
        options: CallOptions,
        key_id: str | None,
        switch: str,
    ) -> Preflight:
        """What would happen; `now` is monotonic seconds. Raises `InvalidRequest` or `DeviceNotFound` for an option.

        As for a call, the rule that refuses the number is told before what is wrong with an option.
        """
        dialled, decision = self._read(account, user, dial_string, livemode=livemode, key_id=key_id)
        for_help = dialled is not None and dialled.kind is DestinationKind.EMERGENCY
        asked = (self._directory, account, user)
        try:
            chosen = choose(*asked, options, limits, lenient=for_help, call_id=_NO_CALL)
        except (InvalidRequest, DeviceNotFound):
            if decision.allowed:  # else the call would not come to its options
                raise
            chosen = choose(*asked, ORDINARY, limits, lenient=for_help, call_id=_NO_CALL)
        callee: User | None = None
        ways: tuple[Trunk, ...] = ()
        if dialled is not None and decision.allowed:
            try:
                callee, ways = self._ways(account, user, dialled, livemode=livemode)
                request = self._request(account, user, dialled, livemode=livemode, key_id=key_id)
                decision = self._permission.admit(request, decision, account, now)
            except NumberNotDialable as error:
                decision = refused(error)
            except DestinationNotAllowed as error:
                decision = replace(decision, rule=Rule(error.rule), reason=str(error))
        details = None
        if dialled is not None and for_help:
            details = emergency.details(self._directory, user, dialled, chosen.number, ways)
        caller, did = self._shown(account, user, dialled, chosen.number)
        devices = self._ringable(chosen.devices, for_help=for_help)
        far = self._ringable(self._directory.devices(callee.id), silent=callee.do_not_disturb) if callee else ()
        return Preflight(
            user=user,
            dial_string=dial_string,
            decision=decision,
            kind=dialled.kind if dialled else None,
            number=dialled.number if dialled else None,
            devices=devices,
            callee=callee,
            far_devices=far,
            trunks=ways,
            caller=caller,
            did=did,
            anonymous=chosen.anonymous,
            limits=_limits(chosen, decision, for_help=for_help),
            switch=switch,
            warnings=tuple(_warnings(devices, callee, far, ways, did, details)),
            emergency_details=details,
        )

    def _read(
        self, account: Account, user: User, dial_string: str, *, livemode: bool, key_id: str | None
    ) -> tuple[Dialled | None, Decision]:
        try:
            dialled = self._planner.read(account, user, dial_string)
        except NumberNotDialable as error:
            return None, refused(error)
        request = self._request(account, user, dialled, livemode=livemode, key_id=key_id)
        return dialled, self._permission.judge(request, account)

    def _request(
        self, account: Account, user: User, dialled: Dialled, *, livemode: bool, key_id: str | None
    ) -> Request:
        region = self._directory.region_of(account, user.id)
        return Request(dialled.kind, dialled.number, region, account.id, user.id, key_id, livemode)

    def _ways(
        self, account: Account, user: User, dialled: Dialled, *, livemode: bool
    ) -> tuple[User | None, tuple[Trunk, ...]]:
        """Whom an extension leads to, or which trunks are tried."""
        if dialled.kind is DestinationKind.EXTENSION:
            return self._planner.callee(account, user, dialled.number), ()
        ways = trunks.choose(self._trunks, dialled, account.id, self._rules, livemode=livemode)
        for trunk in ways:
            trunks.endpoint(trunk, dialled)  # raises for what must not be sent
        return None, ways

    def _shown(
        self, account: Account, user: User, dialled: Dialled | None, number: PhoneNumber | None
    ) -> tuple[Party | None, PhoneNumber | None]:
        """Who is shown to the destination."""
        if dialled is None:
            return None, None
        if dialled.kind is DestinationKind.EXTENSION:
            return self._planner.internal_party(user), None
        return (party_of(number, account), number) if number else (None, None)

    def _ringable(
        self, devices: Sequence[Device], *, silent: bool = False, for_help: bool = False
    ) -> tuple[Ringable, ...]:
        """Each device, and whether it would ring: the first so many contacts of all of them do. For help those are tried, too,
        that did not answer lately."""
        found, places = [], MOST_CONTACTS
        for device in devices:
            contacts = tuple(self._switch.contacts(device.endpoint)) if self._switch.connected else ()
            rings = not silent and any(contact.reachable or for_help for contact in contacts[: max(0, places)])
            found.append(Ringable(device, contacts, rings))
            places -= max(1, len(contacts))
        return tuple(found)


def _limits(chosen: Chosen, decision: Decision, *, for_help: bool) -> Limits:
    """The times of the call; of one for help those that count for it, whatever it is given."""
    if for_help:
        return replace(chosen.limits, answer_timeout=float(EMERGENCY_LIFETIME), max_duration=float(EMERGENCY_LIFETIME))
    if decision.longest is None or decision.longest >= chosen.limits.max_duration:
        return chosen.limits
    return replace(chosen.limits, max_duration=float(decision.longest))


def _warnings(
    devices: Sequence[Ringable],
    callee: User | None,
    far: Sequence[Ringable],
    ways: Sequence[Trunk],
    did: PhoneNumber | None,
    details: EmergencyDetails | None,
) -> list[str]:
    """What would go wrong, or differently than somebody might believe."""
    warnings = []
    if not any(one.rings for one in devices):
        warnings.append("no device of the user is online: the call would end at once (no_device)")
    if callee is not None and callee.do_not_disturb:
        warnings.append("the extension's user wants no calls now: the destination would be busy")
    elif callee is not None and not any(one.rings for one in far):
        warnings.append("no device of the extension's user is online: the destination would not be reached")
    if ways and did is None and details is None:
        warnings.append("no number is shown: neither the user nor the account has one that may be")
    if details is not None:
        warnings += [_LACKS[lack] for lack in details.missing]
    return warnings
