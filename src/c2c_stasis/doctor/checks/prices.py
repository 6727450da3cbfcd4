"""Can the service read what calls cost, and does it know a price for calls at home?"""

import asyncio

import phonenumbers
from phonenumbers import PhoneNumberFormat

from c2c_stasis.app import policy_of
from c2c_stasis.config import ConfigError
from c2c_stasis.directory.model import Account
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient
from c2c_stasis.policy.settings import Settings
from c2c_stasis.service.permission import Permission

UNUSABLE = Fault(
    "rate_file_unusable",
    Status.CONFIG,
    "The rate file cannot be used; the fact says why. The service does not start, and a running one keeps the prices it has.",
    "Correct the file, or [policy] rate_file, and run doctor as the user of the service and in its folder.",
)
MISSING = Fault(
    "rate_missing",
    Status.UNAVAILABLE,
    "A limit of money counts for an account, and no price is known for numbers of its own country: these calls are refused"
    " (no_rate).",
    "Name a file in [policy] rate_file, and add the country calling code to it, as a prefix; let the service read both again"
    " (SIGHUP).",
)


async def look(patient: Patient) -> list[Finding]:
    """Read the file as the service does, and ask it what a call within each account's country costs."""
    name = patient.config.policy.rate_file
    try:
        settings = await asyncio.to_thread(policy_of, patient.config)
    except ConfigError as error:
        return [UNUSABLE.found(str(problem).removesuffix(problem.fix).strip(". ")) for problem in error.problems]
    permission = Permission(settings)
    faults = [
        MISSING.found(f"account {account.name}: numbers of {account.region} have no price")
        for account in (await patient.directory()).accounts
        if _missing(permission.settings(account), account)
    ]
    return faults or [
        well(f"{name} is understood" if name else "no call has a price: [policy] rate_file names no file")
    ]


def _missing(settings: Settings, account: Account) -> bool:
    """Whether an account whose calls must have a price has none for an ordinary number of its own country."""
    number = phonenumbers.example_number(account.region)
    if not settings.counts_money or number is None:
        return False
    return (
        settings.rates is None
        or settings.rates.find(phonenumbers.format_number(number, PhoneNumberFormat.E164)) is None
    )


CHECK = Check("prices", "Can the service read what calls cost?", (UNUSABLE, MISSING), look)
