"""Does Asterisk's HTTP server bear our connections, and a reader that pauses?"""

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

SESSIONS = Fault(
    "sessions_few",
    Status.WARNING,
    "Asterisk takes few HTTP connections and closes further ones without a word; browsers' phones, idle connections and the"
    " event stream count too.",
    "Set sessionlimit = 512 in http.conf, and run `asterisk -rx 'module reload http'`.",
)
WRITE_TIMEOUT = Fault(
    "write_timeout_short",
    Status.WARNING,
    "Asterisk closes the event stream of a client that reads slowly: at the default of 100 ms a pause under load loses events.",
    "Set websocket_write_timeout = 5000 in ari.conf, and run `asterisk -rx 'module reload res_ari.so'`.",
)

DEFAULT_SESSIONS = 100
LEAST_SESSIONS = 200  # a pool of at most 32, twice for a restart, and as many browsers and phones again
DEFAULT_WRITE_TIMEOUT = 100  # milliseconds
LEAST_WRITE_TIMEOUT = 1000  # milliseconds


async def sessions(patient: Patient) -> list[Finding]:
    """Read the limit in http.conf, with Asterisk's own reader."""
    limit = await _number(patient, "http.conf,general,sessionlimit", DEFAULT_SESSIONS)
    if limit < LEAST_SESSIONS:
        return [SESSIONS.found(f"Asterisk takes {limit} HTTP connections at once")]
    return [well(f"Asterisk takes {limit} HTTP connections at once")]


async def write_timeout(patient: Patient) -> list[Finding]:
    """Read the time-out in ari.conf."""
    limit = await _number(patient, "ari.conf,general,websocket_write_timeout", DEFAULT_WRITE_TIMEOUT)
    if limit < LEAST_WRITE_TIMEOUT:
        return [WRITE_TIMEOUT.found(f"Asterisk waits {limit} ms for a slow reader of events")]
    return [well(f"Asterisk waits {limit} ms for a slow reader of events")]


async def _number(patient: Patient, setting: str, default: int) -> int:
    """A number of Asterisk's files as they are now; the default when it is not set."""
    helper = await patient.helper("func_config.so")
    value = (await helper.read(f"AST_CONFIG({setting})") or "").strip()
    return int(value) if value.isdecimal() else default


SESSIONS_CHECK = Check("http sessions", "Does Asterisk take enough HTTP connections?", (SESSIONS,), sessions)
WRITE_TIMEOUT_CHECK = Check(
    "event stream", "Does Asterisk wait for a reader of events that pauses?", (WRITE_TIMEOUT,), write_timeout
)
