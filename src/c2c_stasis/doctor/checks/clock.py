"""Do Asterisk's clock and ours agree?"""

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

SKEW = Fault(
    "clock_skew",
    Status.WARNING,
    "Asterisk's clock and this machine's differ. After a restart the service compares them to tell which calls outlived it.",
    "Run a time service (chrony, systemd-timesyncd) on both machines.",
)

TOLERANCE = 2.0  # seconds; Asterisk tells whole ones


async def look(patient: Patient) -> list[Finding]:
    """Ask for Asterisk's time, between two looks at ours."""
    await patient.info()
    before = patient.now()
    theirs = await patient.inspector.clock()
    after = patient.now()
    # Theirs is cut to whole seconds, so it may be up to one second behind without being wrong.
    ahead, behind = theirs - after, before - (theirs + 1)
    off = max(ahead, behind, 0.0)
    if off > TOLERANCE:
        return [SKEW.found(f"Asterisk's clock is {off:.0f} s {'ahead' if ahead > 0 else 'behind'}")]
    return [well("Asterisk's clock and ours agree")]


CHECK = Check("clock", "Do Asterisk's clock and ours agree?", (SKEW,), look)
