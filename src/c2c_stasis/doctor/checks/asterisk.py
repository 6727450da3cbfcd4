"""Can Asterisk be reached over ARI, and may this user act there?"""

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable

UNREACHABLE = Fault(
    "ari_unreachable",
    Status.UNAVAILABLE,
    "Nobody answers at [ari] url, or not in time. No call can be placed.",
    "Start Asterisk; set enabled = yes, bindaddr and bindport in http.conf; name the same address in [ari] url.",
)
NOT_ARI = Fault(
    "ari_missing",
    Status.UNAVAILABLE,
    "Something answers at [ari] url, but it is not ARI, or ARI is not loaded yet.",
    "Set enabled = yes in ari.conf, load res_ari.so and res_ari_asterisk.so, and see that [ari] url is Asterisk's HTTP server.",
)
PASSWORD = Fault(
    "ari_password",
    Status.CONFIG,
    "Asterisk does not accept the user name or the password.",
    "Give [ari] username and password as they stand in ari.conf; after a change there run `asterisk -rx 'module reload"
    " res_ari.so'`.",
)
REFUSED = Fault(
    "ari_refused",
    Status.CONFIG,
    "Asterisk knows the user and refuses this machine: an access list of ari.conf or http.conf.",
    "Permit this machine's address under [/ari] in http.conf, and in the acl of the user in ari.conf.",
)
READ_ONLY = Fault(
    "ari_read_only",
    Status.CONFIG,
    "The ARI user may read and not act. Every call would fail.",
    "Set read_only = no for the user in ari.conf.",
)


async def look(patient: Patient) -> list[Finding]:
    """Ask Asterisk who it is, and whether we may change anything."""
    url, user = patient.config.ari.url, patient.config.ari.username
    try:
        info = await patient.greet()
        version = info["system"]["version"]
    except SwitchUnavailable as error:
        return [UNREACHABLE.found(f"{url}: {error}")]
    except SwitchRefused as refusal:
        return [_refusal(url, user, refusal)]
    except (ValueError, KeyError, TypeError):
        return [NOT_ARI.found(f"{url} answers, and not as ARI does")]
    if not await patient.may_write():
        return [READ_ONLY.found(f"the ARI user {user} may only read")]
    return [well(f"Asterisk {version} answers at {url}; the ARI user {user} may act")]


def _refusal(url: str, user: str, refusal: SwitchRefused) -> Finding:
    match refusal.status:
        case 401:
            return PASSWORD.found(f"{url} does not accept the user {user} with this password")
        case 403:
            return REFUSED.found(f"{url} refuses the user {user}: {refusal.message}")
        case 503:
            return UNREACHABLE.found(f"{url}: Asterisk is still starting")
        case _:
            return NOT_ARI.found(f"{url} answers {refusal.status} to a question that ARI answers")


CHECK = Check(
    "asterisk",
    "Does Asterisk answer over ARI, and may this user act there?",
    (UNREACHABLE, NOT_ARI, PASSWORD, REFUSED, READ_ONLY),
    look,
)
