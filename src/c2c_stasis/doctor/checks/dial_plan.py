"""Can a phone dial out by itself, past the service?"""

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, ValidationResult

from c2c_stasis.doctor.check import DEADLINE_OF_ALL_ENDPOINTS, Check
from c2c_stasis.doctor.endpoints import in_use
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

DIALS_OUT = Fault(
    "context_dials_out",
    Status.WARNING,
    "A phone's context leads somewhere when a telephone number is dialled on it: such calls know nothing of the service's rules"
    " and records. Whoever steals a phone's password can use it.",
    "Give the endpoint a context without extensions, such as locked-phones of the shipped extensions.conf. Where phones are"
    " meant to dial by themselves: doctor --ignore context_dials_out.",
)

ABROAD = "+442079460018"  # Ofcom's number for drama
# Before what a person dials: for an outside line, or the one for long distance where that is not part of the number.
PREFIXES = ("", *"0123456789", "00", "90", "810", "*9")
LOCAL = 7  # digits of a number within its own area, where such numbers can be dialled


async def look(patient: Patient) -> list[Finding]:
    """Ask the dial plan what it would do with numbers as people dial them; nothing is dialled."""
    helper = await patient.helper("func_dialplan.so")
    directory = await patient.directory()
    used = await in_use(patient)
    contexts: dict[str, list[str]] = {}
    for name in (device.endpoint for device in directory.devices):
        if name in used:
            contexts.setdefault(used[name].get("context", ""), []).append(name)
    numbers = examples({account.region for account in directory.accounts})
    faults = []
    for context, names in contexts.items():
        for number in numbers:
            if await helper.read(f"DIALPLAN_EXISTS({context},{number},1)") == "1":
                faults.append(
                    DIALS_OUT.found(f"context {context} ({len(names)} devices, {names[0]} among them) takes {number}")
                )
                break
    return faults or [well(f"no number leads anywhere in {', '.join(sorted(contexts)) or 'any context'}")]


def examples(regions: set[str]) -> list[str]:
    """A number at home and one abroad for each region, as people dial them, with and without a prefix for an outside line."""
    dialled = {ABROAD, ABROAD.removeprefix("+")}
    for region in regions:
        abroad = phonenumbers.parse(ABROAD)
        dialled.add(_digits(phonenumbers.format_out_of_country_calling_number(abroad, region)))
        if (home := phonenumbers.example_number(region)) is not None:
            worldwide = phonenumbers.format_number(home, PhoneNumberFormat.E164)
            national = _digits(phonenumbers.format_number(home, PhoneNumberFormat.NATIONAL))
            dialled |= {worldwide, worldwide.removeprefix("+"), national}
            if (
                phonenumbers.is_possible_number_with_reason(_within(home, region))
                == ValidationResult.IS_POSSIBLE_LOCAL_ONLY
            ):
                dialled.add(national[-LOCAL:])
    outside = {prefix + number for prefix in PREFIXES for number in dialled if not number.startswith("+")}
    return sorted(dialled | outside)


def _within(home: PhoneNumber, region: str) -> PhoneNumber:
    """The same number without its area."""
    return phonenumbers.parse(str(home.national_number)[-LOCAL:], region)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


CHECK = Check(
    "dial plan", "Can a phone dial out by itself, past the service?", (DIALS_OUT,), look, DEADLINE_OF_ALL_ENDPOINTS
)
