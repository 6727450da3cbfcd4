"""Does Asterisk have the tones of the accounts' countries?"""

from c2c_stasis.ari.inspector import Helper
from c2c_stasis.ari.switch import tone_zone
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import CannotSee, Patient

NONE = Fault(
    "indications_missing",
    Status.CONFIG,
    "Asterisk has no tones at all: the user hears silence while the destination rings, and nothing is logged.",
    "Put the shipped indications.conf into Asterisk's configuration, and run `asterisk -rx 'module reload indications'`.",
)
OF_REGION = Fault(
    "indications_region",
    Status.WARNING,
    "Asterisk lacks the tones of an account's country: its users hear those of another one.",
    "Add the country's section to indications.conf, and run `asterisk -rx 'module reload indications'`.",
)

ZONE = "CHANNEL(tonezone)"
DEFAULT = ""  # setting this gives the default zone


async def look(patient: Patient) -> list[Finding]:
    """Give the helper channel each zone, as a call is given it, and see whether it took it."""
    helper = await patient.helper("func_channel.so")
    default = await _takes(helper, DEFAULT)
    if default is None:
        return [NONE.found("Asterisk knows no tone of any country")]
    try:
        regions = sorted((await patient.directory()).regions)
    except CannotSee:
        regions = []
    missing = [region for region in regions if await _takes(helper, tone_zone(region)) != tone_zone(region)]
    if missing:
        return [
            OF_REGION.found(f"no tones for {region}; its users hear those of {default.upper()}") for region in missing
        ]
    return [well(f"tones of {', '.join(regions) or 'the default country'}; elsewhere those of {default.upper()}")]


async def _takes(helper: Helper, zone: str) -> str | None:
    """The zone that the channel has after it was given this one: the one before when Asterisk does not know it."""
    await helper.set(ZONE, DEFAULT)
    if zone:
        await helper.set(ZONE, zone)
    value = await helper.read(ZONE)
    # Where the default zone was asked for by name, it was found as well.
    return value or None


CHECK = Check("tones", "Does Asterisk have the tones of the accounts' countries?", (NONE, OF_REGION), look)
