"""What HTTPS is served with, from a certificate and its key."""

import logging
import ssl

from c2c_stasis.config import Http
from c2c_stasis.errors import ClickToCallError

logger = logging.getLogger(__name__)


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
