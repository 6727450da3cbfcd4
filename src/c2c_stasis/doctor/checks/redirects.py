"""Can a phone send a call elsewhere by answering with a redirect?"""

from c2c_stasis.doctor.check import DEADLINE_OF_ALL_ENDPOINTS, Check
from c2c_stasis.doctor.endpoints import every, in_use, listed
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

FOLLOWED = Fault(
    "redirect_followed",
    Status.CONFIG,
    "An endpoint's redirect_method is not `user`. With uri_pjsip Asterisk dials the address in a phone's 302 by itself, unseen"
    " by the service: whoever has the phone calls anywhere.",
    "Set redirect_method = user for the endpoint in pjsip.conf, and run `asterisk -rx 'module reload res_pjsip.so'`.",
)

SAFE = "user"


async def look(patient: Patient) -> list[Finding]:
    """Read the setting of every endpoint that calls use."""
    used = await in_use(patient)
    methods = {name: settings.get("redirect_method", SAFE) for name, settings in used.items()}
    faults = [
        FOLLOWED.found(f"endpoint {name} has redirect_method = {method}")
        for name, method in methods.items()
        if method != SAFE
    ]
    return faults or [well(f"no redirect is followed by {len(used)} endpoints")]


async def look_at_all(patient: Patient) -> list[Finding]:
    """Read the setting of every endpoint that Asterisk has: one that no call uses today is a door tomorrow."""
    there = await every(patient)
    following = [name for name, settings in there.items() if settings.get("redirect_method", SAFE) != SAFE]
    if following:
        return [FOLLOWED.found(f"redirect_method is not user: {listed(following)}")]
    return [well(f"no redirect is followed by {len(there)} endpoints")]


CHECK = Check(
    "redirects", "Can a phone send a call elsewhere with a redirect?", (FOLLOWED,), look, DEADLINE_OF_ALL_ENDPOINTS
)
EVERY_CHECK = Check(
    "redirects",
    "Can a phone send a call elsewhere with a redirect?",
    (FOLLOWED,),
    look_at_all,
    DEADLINE_OF_ALL_ENDPOINTS,
)
