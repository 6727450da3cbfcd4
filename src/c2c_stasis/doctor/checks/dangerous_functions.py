"""May functions that run programs and write files be used from outside?"""

from c2c_stasis.doctor.asterisk_files import is_true
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

DANGEROUS = Fault(
    "live_dangerously",
    Status.CONFIG,
    "Functions such as SHELL() and FILE() may be used over ARI and the manager interface: whoever has one of their passwords"
    " runs programs on this machine.",
    "Set live_dangerously = no in asterisk.conf, and restart Asterisk.",
)


async def look(patient: Patient) -> list[Finding]:
    """Read asterisk.conf; what counts is what stood there when Asterisk was started."""
    value = await patient.setting("asterisk.conf", "options", "live_dangerously")
    if is_true(value):
        return [DANGEROUS.found(f"asterisk.conf has live_dangerously = {value}")]
    return [well("dangerous functions are refused from outside")]


CHECK = Check("functions", "May functions that run programs be used from outside?", (DANGEROUS,), look)
