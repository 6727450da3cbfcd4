"""What HTTPS is served with, from a certificate and its key."""

import contextlib
import ssl
from pathlib import Path

from c2c_stasis.config import Http
from c2c_stasis.errors import ClickToCallError

_END = "-----END CERTIFICATE-----"


class CertificateNotUsable(ClickToCallError):
    """HTTPS cannot be served with these files; the text says why."""


def context_for(http: Http) -> ssl.SSLContext | None:
    """TLS 1.2 or later with the certificate of the configuration; nothing, if it names none. Raises `CertificateNotUsable`."""
    if not http.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A function for the password: without one OpenSSL asks whoever sits at the terminal.
        context.load_cert_chain(http.tls_certificate, http.tls_key, password=_no_password)
    except (OSError, ValueError) as error:
        raise CertificateNotUsable(_reason(http, error)) from error
    return context


def expiry_of(context: ssl.SSLContext, certificate: Path) -> float | None:
    """When the certificate of a server expires, in Unix seconds; nothing, if it does not count at this moment.

    The library shows what is in a certificate to a client only that trusts it: so one is made, which trusts this one alone.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    first = certificate.read_text().partition(_END)
    client.load_verify_locations(cadata=f"{first[0]}{first[1]}\n")
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there)
    answering = context.wrap_bio(there, back, server_side=True)
    try:
        for one in (asking, answering, asking, answering):
            with contextlib.suppress(ssl.SSLWantReadError):
                one.do_handshake()
    except ssl.SSLError:
        return None
    shown = asking.getpeercert()
    return float(ssl.cert_time_to_seconds(str(shown["notAfter"]))) if shown else None


def _no_password() -> str:
    raise ValueError("the key is protected by a password")


def _reason(http: Http, error: Exception) -> str:
    files = f"{http.tls_certificate} and {http.tls_key}"
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{files} do not belong together"
        return f"{files} are no certificate and key in PEM: {error.reason or error.strerror}"
    if isinstance(error, OSError):
        return f"{files} cannot be read: {error.strerror}"
    return f"{files} cannot be used: {error}"
