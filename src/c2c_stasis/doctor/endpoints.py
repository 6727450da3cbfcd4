"""The endpoints that calls use, and beside them all that Asterisk has."""

from c2c_stasis.doctor.asterisk_files import FileUnread
from c2c_stasis.doctor.patient import Patient, Unseen

ANONYMOUS = "anonymous"  # Asterisk's name for whoever is nobody else; also as anonymous@a.domain
SHOWN = 5  # names in one fact

Endpoints = dict[str, dict[str, str]]


async def in_use(patient: Patient) -> Endpoints:
    """The settings of each endpoint of a device or a trunk that Asterisk has, by name. Raises `CannotSee`."""
    devices = [device.endpoint for device in (await patient.directory()).devices]
    return await _there(patient, [*devices, *_trunks(patient)])


async def every(patient: Patient) -> Endpoints:
    """The settings of every endpoint that Asterisk has, ours or not. Raises `CannotSee`."""
    # Those of a database are listed only once Asterisk has met them; so it is asked for those that matter by name.
    devices = [device.endpoint for device in (await patient.directory()).devices]
    return await _there(patient, [*await patient.endpoint_states(), ANONYMOUS, *devices, *_trunks(patient)])


async def phones(patient: Patient) -> Endpoints:
    """Every endpoint that is no carrier. Raises `CannotSee`.

    A carrier is a trunk of the configuration, or known by its address alone: it gives no password, no device has it, and a
    section of the type identify names it. Where these sections cannot be read, no password and no device is enough.
    """
    devices = {device.endpoint for device in (await patient.directory()).devices}
    by_address = _known_by_address(patient)
    carriers = set(_trunks(patient)) - devices
    return {
        name: settings
        for name, settings in (await every(patient)).items()
        if name not in carriers
        and (
            name in devices
            or bool(settings.get("auth"))
            or is_anonymous(name)
            or (by_address is not None and name not in by_address)
        )
    }


def is_anonymous(name: str) -> bool:
    """Whether Asterisk gives this endpoint to whoever is nobody else."""
    return name.partition("@")[0] == ANONYMOUS


def listed(names: list[str]) -> str:
    """Some of them, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _trunks(patient: Patient) -> list[str]:
    return [trunk.pjsip_endpoint for trunk in patient.config.trunks]


async def _there(patient: Patient, names: list[str]) -> Endpoints:
    found = await patient.endpoints(names)
    return {name: settings for name, settings in found.items() if settings is not None}


def _known_by_address(patient: Patient) -> set[str] | None:
    try:
        sections = patient.asterisk_files().whole("pjsip.conf").of_type("identify")
    except (Unseen, FileUnread):
        return None
    return {section.value("endpoint") for section in sections}
