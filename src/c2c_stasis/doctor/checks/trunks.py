"""Is there a way out to the telephone network, and is it up?"""

from collections.abc import Sequence

from c2c_stasis.config import RouteRule, Trunk
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, skipped, unseen, well
from c2c_stasis.doctor.patient import CannotSee, Patient
from c2c_stasis.doctor.trunk_state import Reach, TrunkState, look_at

NONE = Fault(
    "trunk_none",
    Status.WARNING,
    "No trunk carries ordinary calls: only extensions can be called.",
    "Add a [[trunks]] section to the configuration, and its endpoint to pjsip.conf.",
)
UNKNOWN = Fault(
    "trunk_unknown",
    Status.CONFIG,
    "Asterisk has no endpoint of the name that a trunk's endpoint gives. Every call through it fails.",
    "Correct endpoint under [[trunks]], or add the endpoint to pjsip.conf.",
)
UNREACHABLE = Fault(
    "trunk_unreachable",
    Status.UNAVAILABLE,
    "A trunk's carrier does not answer Asterisk, or has no address. Calls through it fail, mostly with 500 \"Allocation"
    ' failed" in the log.',
    "Compare the contact in its aor with what the carrier says; look at firewall and registration (`asterisk -rx 'pjsip show"
    " contacts'`).",
)

NOT_ASSERTED = Fault(
    "trunk_asserts_nothing",
    Status.WARNING,
    "A trunk is marked trusted, and Asterisk does not tell it the number of an anonymous call: many carriers refuse a call"
    " without one.",
    "Set send_pai = yes and trust_id_outbound = yes for its endpoint in pjsip.conf, or leave trusted out under [[trunks]].",
)

ROUTE_UNUSED = Fault(
    "route_never_used",
    Status.WARNING,
    "Every call that a route is for is taken by one before it: the first route that fits counts.",
    "Put the narrower of the two first under [[routes]], or take one of them out.",
)


async def look(patient: Patient) -> list[Finding]:
    """Look at every trunk and every route of the configuration."""
    trunks = patient.config.trunks
    ordinary = any(not (trunk.test or trunk.emergency) for trunk in trunks)
    none = [] if ordinary else [NONE.found("no trunk for ordinary calls is configured")]
    none += [
        ROUTE_UNUSED.found(f"the route through {after.trunks} fits no call that the one through {before.trunks} leaves")
        for before, after in covered(patient.config.routes, trunks)
    ]
    try:
        return none + [judged(await look_at(patient, trunk)) for trunk in trunks]
    except CannotSee as reason:
        return [*none, skipped(str(reason))]


def covered(rules: Sequence[RouteRule], trunks: Sequence[Trunk]) -> list[tuple[RouteRule, RouteRule]]:
    """Each route that can never be taken, behind the one that takes its calls."""
    kinds = {trunk.name: (trunk.test, trunk.emergency) for trunk in trunks}

    def covers(before: RouteRule, after: RouteRule) -> bool:
        carried = [{kinds[name] for name in rule.trunks.words} for rule in (after, before)]
        return carried[0] <= carried[1] and all(
            not wide.words or (narrow.words and set(narrow.words) <= set(wide.words))
            for wide, narrow in ((before.accounts, after.accounts), (before.numbers, after.numbers))
        )

    return [
        (before, after)
        for place, after in enumerate(rules)
        for before in [next((one for one in rules[:place] if covers(one, after)), None)]
        if before is not None
    ]


def judged(state: TrunkState) -> Finding:
    """What a trunk's state means."""
    name = f"trunk {state.trunk.name} (PJSIP/{state.endpoint})"
    match state.reach:
        case Reach.UNKNOWN_ENDPOINT:
            return UNKNOWN.found(f"{name}: Asterisk has no such endpoint")
        case Reach.NO_CONTACT:
            return UNREACHABLE.found(f"{name} has no address: its aor has no contact, and nobody registered")
        case Reach.UNREACHABLE:
            return UNREACHABLE.found(f"{name}: {state.contacts[0].uri} does not answer OPTIONS")
        case Reach.NOT_ASKED if state.qualified:
            return unseen(f"{name}: Asterisk waits for the answer to its first OPTIONS", "Ask again in a minute.")
        case Reach.NOT_ASKED:
            fix = "Set qualify_frequency = 60 in its aor: Asterisk then sends it an OPTIONS every minute."
            return unseen(f"{name}: Asterisk does not ask whether it is there", fix)
        case Reach.REACHABLE if state.trunk.trusted and not state.asserts:
            return NOT_ASSERTED.found(f"{name} is trusted, but its endpoint lacks send_pai or trust_id_outbound")
        case Reach.REACHABLE:
            times = [contact.rtt_ms for contact in state.contacts if contact.rtt_ms is not None]
            return well(f"{name} answers{f' in {min(times):.1f} ms' if times else ''}")


CHECK = Check(
    "trunks",
    "Is there a way out to the telephone network, and is it up?",
    (NONE, UNKNOWN, UNREACHABLE, NOT_ASSERTED, ROUTE_UNUSED),
    look,
)
