"""The checks, one file each; `ALL` is their order in the report."""

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.checks import (
    application,
    asterisk,
    caller_numbers,
    clock,
    database,
    descriptors,
    devices,
    dial_plan,
    host_name,
    modules,
    port,
    provisioning,
    redirects,
    tones,
    trunks,
    version,
    web_server,
)

ALL: tuple[Check, ...] = (
    asterisk.CHECK,
    version.CHECK,
    modules.CHECK,
    tones.CHECK,
    host_name.CHECK,
    descriptors.CHECK,
    web_server.SESSIONS_CHECK,
    web_server.WRITE_TIMEOUT_CHECK,
    clock.CHECK,
    trunks.CHECK,
    caller_numbers.CHECK,
    devices.CHECK,
    provisioning.CHECK,
    redirects.CHECK,
    dial_plan.CHECK,
    database.CHECK,
    database.DISK_CHECK,
    port.CHECK,
    application.CHECK,
)
