"""Is this Asterisk new enough, and free of known holes?"""

from c2c_stasis.doctor.advisories import affecting
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import Patient
from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.installation import FLOOR, FLOOR_OF_23, new_enough, parse_version

_FLOORS = " or ".join(".".join(map(str, floor)) for floor in (FLOOR, FLOOR_OF_23))

TOO_OLD = Fault(
    "version_too_old",
    Status.UNAVAILABLE,
    "This release of Asterisk has holes and faults that no setting mends: an ARI user can run commands, calls can deadlock.",
    f"Install Asterisk {_FLOORS}, or later.",
)
ADVISORIES = Fault(
    "version_advisories",
    Status.UNAVAILABLE,
    "This release works with c2c-stasis and has known security holes.",
    "Install the release that closes them; the fact names the advisories.",
)


async def look(patient: Patient) -> list[Finding]:
    """Compare the release with the floor and with the known advisories."""
    release = (await patient.info())["system"]["version"]
    try:
        version, enough = parse_version(release), new_enough(release)
    except LaboratoryError:
        return [unseen(f"{release!r} is no release of Asterisk: what it lacks is not known", f"It needs {_FLOORS}.")]
    holes = affecting(version)
    known = f": {'; '.join(f'{hole.id}, {hole.about}' for hole in holes)}" if holes else ""
    if not enough:
        return [TOO_OLD.found(f"Asterisk {release} is older than {_FLOORS}{known}")]
    if holes:
        return [ADVISORIES.found(f"Asterisk {release} has known holes{known}")]
    return [well(f"Asterisk {release} is new enough, and no advisory is known for it")]


CHECK = Check("version", "Is this Asterisk new enough, and free of known holes?", (TOO_OLD, ADVISORIES), look)
