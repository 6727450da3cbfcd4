"""Do keys of the API travel in the open?"""

from c2c_stasis.doctor.access_lists import Circle, circle_of
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

PLAIN = Fault(
    "api_plain_http",
    Status.WARNING,
    "The API takes plain HTTP from other machines: who reads along has the key that is in every request.",
    "Set [http] listen = 127.0.0.1:8080 behind a proxy with TLS on this machine, or name a certificate in [http]"
    " tls_certificate. Where the network in between is yours alone: doctor --ignore api_plain_http.",
)


async def look(patient: Patient) -> list[Finding]:
    """Read where the service listens, and whether with a certificate."""
    http = patient.config.http
    if http.tls_certificate:
        return [well(f"the API is served over HTTPS at {http.listen}")]
    if circle_of(http.listen.host) > Circle.THIS_MACHINE:
        return [PLAIN.found(f"[http] listen is {http.listen}, without a certificate")]
    return [well(f"the API is served to this machine only, at {http.listen}")]


CHECK = Check("api address", "Do keys of the API travel in the open?", (PLAIN,), look)
