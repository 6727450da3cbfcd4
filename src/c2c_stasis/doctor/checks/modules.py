"""Does Asterisk run every module that a call needs?"""

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

MISSING = Fault(
    "module_missing",
    Status.CONFIG,
    "A module that calls need is not running; the fact says what fails without it.",
    "Add `load = MODULE` to modules.conf, and run `asterisk -rx 'module load MODULE'`.",
)

# What fails without each; all are in the shipped modules.conf.
NEEDED = {
    "app_stasis.so": "no channel comes under control",
    "bridge_simple.so": "two sides cannot be joined",
    "chan_pjsip.so": "nothing can be dialled",
    "func_callerid.so": "phones show no number",
    "func_channel.so": "no tones of the caller's country",
    "func_timeout.so": "calls outlive a dead service",
    "res_ari_applications.so": "events cannot be filtered, devices not followed",
    "res_ari_bridges.so": "two sides cannot be joined",
    "res_ari_channels.so": "nothing can be dialled",
    "res_ari_endpoints.so": "endpoints cannot be looked up",
    "res_ari_events.so": "nothing is heard of any call",
    "res_http_websocket.so": "nothing is heard of any call",
    "res_pjsip.so": "there is no SIP",
    "res_pjsip_authenticator_digest.so": "phones cannot register",
    "res_pjsip_caller_id.so": "phones and carriers see no number",
    "res_pjsip_endpoint_identifier_user.so": "phones cannot register",
    "res_pjsip_nat.so": "phones behind NAT cannot be reached",
    "res_pjsip_registrar.so": "phones cannot register",
    "res_pjsip_rfc3326.so": "phones that lost the race show a missed call",
    "res_pjsip_sdp_rtp.so": "calls have no sound",
    "res_pjsip_session.so": "nothing can be dialled",
    "res_rtp_asterisk.so": "calls have no sound",
    "res_stasis.so": "no channel comes under control",
    "res_stasis_playback.so": "no busy tone can be played",
}


async def look(patient: Patient) -> list[Finding]:
    """Compare what runs with what is needed."""
    running = await patient.modules()
    missing = [MISSING.found(f"{name} is not running: {lost}") for name, lost in NEEDED.items() if name not in running]
    return missing or [well(f"all {len(NEEDED)} modules that calls need are running")]


CHECK = Check("modules", "Does Asterisk run every module that a call needs?", (MISSING,), look)
