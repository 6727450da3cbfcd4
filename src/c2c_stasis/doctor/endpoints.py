"""The endpoints that calls use: those of the directory's devices and of the trunks."""

from c2c_stasis.doctor.patient import Patient


async def in_use(patient: Patient) -> dict[str, dict[str, str]]:
    """The settings of each that Asterisk has, by name. Raises `CannotSee`."""
    devices = [device.endpoint for device in (await patient.directory()).devices]
    trunks = [trunk.pjsip_endpoint for trunk in patient.config.trunks]
    found = await patient.endpoints([*devices, *trunks])
    return {name: settings for name, settings in found.items() if settings is not None}
