"""Does Asterisk write down who fails to log in, for fail2ban to read?"""

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

UNLOGGED = Fault(
    "security_unlogged",
    Status.WARNING,
    "Failed logins over SIP and HTTP are written nowhere: fail2ban sees no attack, and neither do you.",
    "Load res_security_log.so, add `security.log = security` to [logfiles] in logger.conf, and run `asterisk -rx 'logger"
    " reload'`.",
)

MODULE = "res_security_log.so"


async def look(patient: Patient) -> list[Finding]:
    """Look for the module, and for a log that takes what it tells."""
    if MODULE not in await patient.modules():
        return [UNLOGGED.found(f"{MODULE} is not running")]
    logs = await patient.inspector.get("asterisk/logging")
    taking = [log["channel"] for log in logs if log["status"] == "Enabled" and _takes_security(log["configuration"])]
    if not taking:
        return [UNLOGGED.found(f"none of {len(logs)} logs takes security events")]
    return [well(f"failed logins are written to {', '.join(name or 'the console' for name in taking)}")]


def _takes_security(levels: str) -> bool:
    return bool({"SECURITY", "*"} & set(levels.split()))


CHECK = Check("security log", "Is it written down who fails to log in?", (UNLOGGED,), look)
