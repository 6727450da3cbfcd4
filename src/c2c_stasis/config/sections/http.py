"""`[http]` and `[metrics]`: where the service is reached, by whom and how much."""

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated

from c2c_stasis.config.rules import PEM_FILE, Number
from c2c_stasis.config.sections.about import About
from c2c_stasis.config.sections.network import (
    LISTEN,
    LISTEN_OR_NOT,
    LOOPBACK,
    NO_ORIGINS,
    ORIGINS,
    TRUSTED,
    Address,
    Networks,
    Origins,
    parse_address,
)

_THIS_MACHINE = Networks((ip_network("127.0.0.1"), ip_network("::1")))


@dataclass(frozen=True, slots=True)
class Http:
    """`[http]`: where the API is served."""

    listen: Annotated[
        Address,
        LISTEN,
        About(
            "Where to listen. API keys travel in a header: keep it on loopback behind a TLS proxy, or name a certificate"
        ),
    ] = LOOPBACK
    tls_certificate: Annotated[
        str,
        PEM_FILE,
        About(
            "A certificate with its chain, in PEM: then HTTPS is served, and no HTTP. SIGHUP reads the file again",
            reloads=True,
        ),
    ] = ""
    tls_key: Annotated[
        str,
        PEM_FILE,
        About("The key of the certificate, in PEM and without a password; readable by the service alone", reloads=True),
    ] = ""
    trusted_proxies: Annotated[
        Networks,
        TRUSTED,
        About(
            "Which proxies are believed when they say in X-Forwarded-For and X-Forwarded-Proto who asks, and how. Their"
            " connections count towards max_connections alone"
        ),
    ] = _THIS_MACHINE
    max_connections: Annotated[
        int,
        Number(10, 100_000, "connections", whole=True),
        About(
            "How many connections there may be; each needs a file descriptor, of which the service keeps 464 for itself, "
            "or three of four when there are few. When all are taken, there are 64 of these for emergency calls alone"
        ),
    ] = 800
    max_connections_per_address: Annotated[
        int,
        Number(1, 100_000, "connections", whole=True),
        About(
            "How many of them from one address (IPv6: one /64); of a client behind a trusted proxy, how many requests at a"
            " time"
        ),
    ] = 200
    max_requests: Annotated[
        int,
        Number(1, 100_000, "requests", whole=True),
        About(
            "How many requests are answered at a time; what is too much is answered 503 at once, but for emergency calls"
        ),
    ] = 500
    max_failed_logins: Annotated[
        int,
        Number(1, 100_000, "failures a minute", whole=True),
        About(
            "How many wrong credentials a minute one address may present (IPv6: one /64; not a trusted proxy), and how many"
            " may be presented for one key; more are answered 429, and right ones are always let in"
        ),
    ] = 20
    max_streams_per_account: Annotated[
        int,
        Number(1, 100_000, "streams", whole=True),
        About("How many event streams (`GET /v1/events`) one account may have; each is a connection as well"),
    ] = 500
    max_streams_per_credential: Annotated[
        int,
        Number(1, 100_000, "streams", whole=True),
        About("How many of them with one credential: a key for this account, or a session"),
    ] = 100
    cors_origins: Annotated[
        Origins,
        ORIGINS,
        About(
            "The web pages that may use the API from a browser, with sessions of accounts that name none of their own",
            reloads=True,
        ),
    ] = NO_ORIGINS

    @property
    def url(self) -> str:
        """Where it is served, as it is named here."""
        return f"{'https' if self.tls_certificate else 'http'}://{self.listen}"


@dataclass(frozen=True, slots=True)
class MetricsAt:
    """`[metrics]`: where Prometheus reads. On the port of the API it takes a platform key to read `/metrics`."""

    listen: Annotated[
        str,
        LISTEN_OR_NOT,
        About(
            "Where /metrics is served besides, to everybody who reaches it and without TLS: an address that only Prometheus"
            ' reaches, such as "127.0.0.1:9464"'
        ),
    ] = ""

    @property
    def address(self) -> Address | None:
        """Where that is, if anywhere."""
        return parse_address(self.listen) if self.listen else None
