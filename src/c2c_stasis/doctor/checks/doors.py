"""Does Asterisk run modules that open a door which calls do not need?"""

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

DOOR = Fault(
    "module_door",
    Status.WARNING,
    "A module is running that listens to the network, or hands something out there, and that calls do not need.",
    "Take it out of modules.conf (with autoload = yes: `noload = MODULE`), and restart Asterisk. Where it is needed: doctor"
    " --ignore module_door.",
)

# What each opens.
DOORS = {
    "chan_iax2.so": "calls over IAX, UDP 4569",
    "chan_mgcp.so": "calls over MGCP, UDP 2727",
    "chan_skinny.so": "calls over Skinny, TCP 2000",
    "chan_unistim.so": "calls over UNISTIM, UDP 5000",
    "pbx_dundi.so": "the dial plan for others to ask, UDP 4520",
    "res_http_post.so": "files that are uploaded over HTTP",
    "res_phoneprov.so": "phones' configurations over HTTP, SIP passwords in them",
    "res_pjsip_phoneprov_provider.so": "phones' configurations over HTTP, SIP passwords in them",
}


async def look(patient: Patient) -> list[Finding]:
    """Compare what runs with what opens a door."""
    running = await patient.modules()
    open_doors = [DOOR.found(f"{name} is running: {opens}") for name, opens in DOORS.items() if name in running]
    return open_doors or [well(f"none of {len(DOORS)} modules that open another door is running")]


CHECK = Check("doors", "Does Asterisk run modules that open a door which calls do not need?", (DOOR,), look)
