"""Can HTTPS be served with the certificate of the configuration, and for how long?"""

import asyncio
import stat
from pathlib import Path

from c2c_stasis.api.tls import CertificateNotUsable, context_for, expiry_of
from c2c_stasis.config import Http
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

UNUSABLE = Fault(
    "certificate_unusable",
    Status.CONFIG,
    "HTTPS cannot be served with this certificate and key; the fact says why. The service does not start.",
    "Correct [http] tls_certificate and tls_key, and run doctor as the user of the service.",
)
EXPIRED = Fault(
    "certificate_expired",
    Status.UNAVAILABLE,
    "The certificate has expired, or does not count yet. Clients that check it, and all should, do not connect.",
    "Renew it, then let the service read it again (SIGHUP).",
)
EXPIRES = Fault(
    "certificate_expires_soon",
    Status.WARNING,
    "The certificate expires within two weeks. Whatever renews it should have done so by now.",
    "Renew it, then let the service read it again (SIGHUP); and see why nothing did.",
)
READABLE = Fault(
    "certificate_key_readable",
    Status.WARNING,
    "Every user of this machine can read the key of the certificate, and pass for the service.",
    "Take the right away: chmod o-rwx FILE.",
)

SOON = 14 * 86_400.0  # seconds; ACME clients renew a month before


async def look(patient: Patient) -> list[Finding]:
    """Load it as the service does, and look at it as a client does."""
    http = patient.config.http
    if not http.tls_certificate:
        return [well("HTTP without TLS is served")]
    return await asyncio.to_thread(_looked, http, patient.now())


def _looked(http: Http, now: float) -> list[Finding]:
    try:
        context = context_for(http)
    except CertificateNotUsable as error:
        return [UNUSABLE.found(str(error))]
    assert context is not None  # a certificate is named
    faults = []
    expires = expiry_of(context, Path(http.tls_certificate))
    if expires is None or expires <= now:
        faults.append(EXPIRED.found(f"{http.tls_certificate} does not count today"))
    elif expires - now < SOON:
        faults.append(EXPIRES.found(f"{http.tls_certificate} expires in {(expires - now) / 86_400:.0f} days"))
    if Path(http.tls_key).stat().st_mode & stat.S_IROTH:
        faults.append(READABLE.found(f"{http.tls_key} can be read by everybody"))
    return faults or [well(f"{http.tls_certificate} counts for {((expires or now) - now) / 86_400:.0f} days more")]


CHECK = Check("certificate", "Can HTTPS be served, and for how long?", (UNUSABLE, EXPIRED, EXPIRES, READABLE), look)
