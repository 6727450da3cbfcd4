"""The trunks alone: `c2c-stasis trunks check`."""

from dataclasses import dataclass

from c2c_stasis.config import Config
from c2c_stasis.doctor.checks import asterisk
from c2c_stasis.doctor.checks.trunks import judged
from c2c_stasis.doctor.examination import NO_ANSWER
from c2c_stasis.doctor.findings import Finding, Status
from c2c_stasis.doctor.patient import CannotSee, NotLoaded, Patient
from c2c_stasis.doctor.trunk_state import TrunkState, look_at
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable


@dataclass(frozen=True, slots=True)
class TrunkReport:
    """Every trunk and what its state means, or the trouble that kept us from looking."""

    status: Status
    trunks: tuple[tuple[TrunkState, Finding], ...] = ()
    trouble: Finding | None = None


async def look_at_trunks(config: Config) -> TrunkReport:
    """Ask Asterisk about every trunk of the configuration."""
    if not config.trunks:
        return TrunkReport(Status.WARNING)
    async with Patient(config) as patient:
        (greeting,) = await asterisk.look(patient)
        if greeting.code:
            return TrunkReport(greeting.status, trouble=greeting)
        try:
            states = [await look_at(patient, trunk) for trunk in config.trunks]
        except (CannotSee, NotLoaded, SwitchUnavailable, SwitchRefused) as error:
            return TrunkReport(Status.UNAVAILABLE, trouble=NO_ANSWER.found(str(error)))
    found = tuple((state, judged(state)) for state in states)
    return TrunkReport(max(finding.status for _, finding in found), found)
