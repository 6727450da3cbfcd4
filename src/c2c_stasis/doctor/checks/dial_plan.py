"""Can a phone dial out by itself, past the service?"""

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, ValidationResult

from c2c_stasis.ari.inspector import Helper
from c2c_stasis.doctor.asterisk_files import is_true
from c2c_stasis.doctor.check import DEADLINE_OF_ALL_ENDPOINTS, Check
from c2c_stasis.doctor.endpoints import in_use, listed, phones
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

TRANSFERS_OUT = Fault(
    "transfer_dials_out",
    Status.CONFIG,
    "A phone may transfer a call (REFER), and its context leads somewhere when a telephone number is dialled on it: it sends"
    " whom it talks with to any number, past the service's rules and records.",
    "Set allow_transfer = no for the endpoint in pjsip.conf, or give it a context without extensions; then `asterisk -rx"
    " 'module reload res_pjsip.so'`.",
)

TRANSFERS = "res_pjsip_refer.so"  # without it Asterisk does not hear a REFER
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
    numbers = examples(directory.regions)
    faults = []
    for context, names in contexts.items():
        if number := await _taken(helper, context, numbers):
            faults.append(
                DIALS_OUT.found(f"context {context} ({len(names)} devices, {names[0]} among them) takes {number}")
            )
    return faults or [well(f"no number leads anywhere in {', '.join(sorted(contexts)) or 'any context'}")]


async def look_at_all(patient: Patient) -> list[Finding]:
    """Ask the same for every phone that Asterisk has, whether the directory knows it or not, and which of them may transfer."""
    helper = await patient.helper("func_dialplan.so")
    numbers = examples((await patient.directory()).regions)
    contexts: dict[str, list[str]] = {}
    all_phones = await phones(patient)
    for name, settings in all_phones.items():
        contexts.setdefault(settings.get("context", ""), []).append(name)
    faults = []
    for context, names in contexts.items():
        if not (number := await _taken(helper, context, numbers)):
            continue
        faults.append(DIALS_OUT.found(f"context {context} takes {number}: {listed(names)}"))
        transferring = [name for name in names if is_true(all_phones[name].get("allow_transfer", "yes"))]
        if transferring:
            waits = "" if TRANSFERS in await patient.modules() else f"; it waits only for {TRANSFERS}"
            faults.append(
                TRANSFERS_OUT.found(f"context {context} takes {number} in transfers: {listed(transferring)}{waits}")
            )
    return faults or [well(f"no number leads anywhere for {len(all_phones)} phones")]


async def _taken(helper: Helper, context: str, numbers: list[str]) -> str | None:
    """The first of some numbers that leads somewhere in a context."""
    for number in numbers:
        if await helper.read(f"DIALPLAN_EXISTS({context},{number},1)") == "1":
            return number
    return None


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
EVERY_CHECK = Check(
    "dial plan",
    "Can a phone dial out by itself, past the service?",
    (DIALS_OUT, TRANSFERS_OUT),
    look_at_all,
    DEADLINE_OF_ALL_ENDPOINTS,
)
