"""The sections of the configuration file: of each key its meaning, what it may be, its default, and whether it reloads.

A new key is one entry here; the reader, the file that `init` writes, `config` and the documents follow.
"""

import re
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import Flag, Number, Rule, Text, one_of


class NumberFormat(StrEnum):
    """How a carrier wants to be given a number; shown for +44 20 7946 0018, dialled from Great Britain."""

    E164 = "e164"  # +442079460018
    E164_NO_PLUS = "e164-no-plus"  # 442079460018
    ZERO_ZERO = "00"  # 00442079460018
    NATIONAL = "national"  # 02079460018


class LogNumbers(StrEnum):
    """How telephone numbers stand in the ARI log."""

    MASKED = "masked"  # +1555•••4567
    FULL = "full"


class LogFormat(StrEnum):
    """How a line of the log is written."""

    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class About:
    """What an operator is told about a key.

    `reloads` keys are taken over at SIGHUP, all others need a restart. A `secret` is never shown.
    """

    meaning: str
    reloads: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 means any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if int(port) > 65_535:
        raise Wrong(f"names port {port}, which does not exist", "Ports go from 0 (any free one) to 65535")
    if host.startswith("["):
        try:
            host = str(IPv6Address(host.strip("[]")))
        except ValueError:
            raise Wrong("names no IPv6 address between the brackets", 'Write it as listen = "[::1]:8080"') from None
    return Address(host, int(port))


def _address_or_none(text: str) -> str:
    return str(_address(text)) if text else ""


@dataclass(frozen=True, slots=True)
class Networks:
    """Parts of the network, each an address or a range such as 10.0.0.0/8."""

    ranges: tuple[IPv4Network | IPv6Network, ...] = ()

    def __str__(self) -> str:
        return ", ".join(str(one) for one in self.ranges)


@dataclass(frozen=True, slots=True)
class Ports:
    """Numbers of ports."""

    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self.numbers))


def _networks(text: str, fix: str = "") -> Networks:
    ranges = []
    for part in text.replace(",", " ").split():
        try:
            ranges.append(ip_network(part))
        except ValueError:
            raise Wrong(f"names {part[:64]!r}, which is no network", fix or _TRUSTED_FIX) from None
    return Networks(tuple(ranges))


@dataclass(frozen=True, slots=True)
class Origins:
    """Where web pages come from, each as a browser writes it in the header `Origin` (RFC 6454 6.2)."""

    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.names)


def _origins(text: str) -> Origins:
    names = []
    for part in text.replace(",", " ").lower().split():
        found = _ORIGIN.fullmatch(part)
        if found is None or int(found["port"] or 0) > 65_535:
            raise Wrong(
                f"names {part[:64]!r}, which is no origin" if "@" not in part else "names no origin", _ORIGINS_FIX
            )
        origin, port = f"{found['scheme']}://{found['host']}", int(found["port"] or 0)
        names.append(origin if port in (0, _USUAL_PORTS[found["scheme"]]) else f"{origin}:{port}")
    return Origins(tuple(dict.fromkeys(names)))


def _ari_url(text: str) -> str:
    """The base URL without the `/ari` that every request adds itself."""
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise Wrong("is not a complete URL", 'Write it as url = "http://127.0.0.1:8088"')
    if parts.username is not None or parts.query or parts.fragment:
        raise Wrong("holds more than an address", "Name the user and the password in username and password")
    base = text.rstrip("/").removesuffix("/ari").rstrip("/")
    if urlsplit(base).path:
        raise Wrong(
            "names a path, and ARI is used at the root of Asterisk's HTTP server only",
            'Leave the path out, and prefix out of http.conf: url = "http://127.0.0.1:8088"',
        )
    return base


def _database_url(text: str) -> str:
    scheme, slashes, rest = text.partition("://")
    if not slashes or not scheme.replace("+", "").isalnum():  # not quoted: a password may be in it
        raise Wrong("is no database URL", 'Write it as url = "sqlite+aiosqlite:///c2c.db"')
    if scheme not in ("sqlite", "sqlite+aiosqlite"):
        raise Wrong(
            f"names the database {scheme!r}", 'This version keeps its records in SQLite: "sqlite+aiosqlite:///c2c.db"'
        )
    if not rest.startswith("/") or rest == "/":
        raise Wrong("names no file", 'Write "sqlite+aiosqlite:///c2c.db", or four slashes for an absolute path')
    return f"sqlite+aiosqlite://{rest}"


_LOOPBACK = Address("127.0.0.1", 8080)
_LISTEN = Text(
    'Write it as listen = "127.0.0.1:8080"',
    "host:port, an IPv6 address in [brackets]; port 0 is any free one",
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}",
    parse=_address,
)
_METRICS_LISTEN = Text(
    'Write it as listen = "127.0.0.1:9464", or leave it empty',
    "host:port, an IPv6 address in [brackets]; or none",
    rf"({_LISTEN.pattern})?",
    parse=_address_or_none,
)
_TRUSTED_FIX = 'Write it as trusted_proxies = "127.0.0.1, 10.0.0.0/8"'
_TRUSTED = Text(_TRUSTED_FIX, "addresses and networks, with commas; or none", "[0-9A-Fa-f:./, ]*", parse=_networks)
_FILE = Text("Give the path of a PEM file, or leave the key out", "a path, or none", r"[^\x00-\x1f\x7f]*")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:]+\])(:(?P<port>[0-9]{1,5}))?")
_USUAL_PORTS = {"http": 80, "https": 443}  # browsers leave them out
_ORIGINS_FIX = 'Write each as the browser does, without a path: cors_origins = "https://app.example.com"'
_ORIGINS = Text(_ORIGINS_FIX, "origins, with commas between them; or none", r"[^\x00-\x1f\x7f]*", parse=_origins)
_ARI_URL = Text(
    'Write it as url = "http://127.0.0.1:8088"',
    "an http or https URL without user and password",
    r"https?://[^\s\x00-\x1f\x7f]+",
    private=True,
    parse=_ari_url,
)
_ARI_USER = Text(
    "Give the name of the ARI user, as in Asterisk's ari.conf",
    "a name without blanks and colons",
    r"[^\s:\x00-\x1f\x7f]+",
    private=True,  # user:password is written here by mistake
)
_ARI_PASSWORD = Text(
    "Give the password of the ARI user, as in Asterisk's ari.conf", "any text of one line", private=True
)
_PORTS_FIX = 'Write it as ports = "4443, 9443"'


def _ports(text: str) -> Ports:
    found = tuple(dict.fromkeys(int(part) for part in text.replace(",", " ").split()))
    if any(not 0 < port < 65_536 for port in found):
        raise Wrong("names a port that does not exist", _PORTS_FIX)
    return Ports(found)


_PORTS = Text(_PORTS_FIX, "ports, with commas between them; or none", "[0-9, ]*", parse=_ports)
_SUBNETS_FIX = 'Write it as allow_subnets = "10.1.2.0/24, fd00:1::/64"'
_SUBNETS = Text(
    _SUBNETS_FIX,
    "addresses and networks, with commas; or none",
    "[0-9A-Fa-f:./, ]*",
    parse=lambda text: _networks(text, _SUBNETS_FIX),
)
_DATABASE_URL = Text(
    'Write it as url = "sqlite+aiosqlite:///c2c.db"',
    "sqlite+aiosqlite:/// and a path: a fourth slash begins an absolute one",
    private=True,
    parse=_database_url,
)
_TRUNK_ENDPOINT = Text(
    'Write it as endpoint = "PJSIP/{number}@carrier", where carrier is a PJSIP endpoint',
    "PJSIP/{number}@ and a PJSIP endpoint",
    r"PJSIP/\{number\}@[A-Za-z0-9_.-]{1,64}",
)
_PREFIX = Text(
    "Give the digits that go before every number, or leave the key out", "up to 7 digits, or none", "[0-9]{0,7}"
)
_SIP_DOMAIN = Text(
    'Write it as domain = "pbx.example.com"',
    "a host name, an IPv4 address, an IPv6 address in [brackets], or nothing",
    r"([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])?",
)
_CONTACT_ACL = Text(
    "Give the name of a section of acl.conf, or nothing",
    "up to 64 letters, digits, _ and -, or nothing",
    "[A-Za-z0-9_-]{0,64}",
)
_TRANSPORT = one_of(["udp", "tcp", "tls"])
_LEVEL = one_of(["debug", "info", "warning", "error"])
_LOG_FORMAT = one_of(list(LogFormat), LogFormat)
_LOG_NUMBERS = one_of(list(LogNumbers), LogNumbers)
_FOLDER = Text("Give the path of a folder, or leave the key out", "a path, or none", r"[^\x00-\x1f\x7f]*")
_NUMBER_FORMAT = one_of(list(NumberFormat), NumberFormat)


def _named(what: str) -> Text:
    fix = f"Give {what} a name of letters, digits, _ and -"
    return Text(fix, "up to 64 letters, digits, _ and -", r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Http:
    """`[http]`: where the API is served."""

    listen: Annotated[
        Address,
        _LISTEN,
        About(
            "Where to listen. API keys travel in a header: keep it on loopback behind a TLS proxy, or name a certificate"
        ),
    ] = _LOOPBACK
    tls_certificate: Annotated[
        str,
        _FILE,
        About(
            "A certificate with its chain, in PEM: then HTTPS is served, and no HTTP. SIGHUP reads the file again",
            reloads=True,
        ),
    ] = ""
    tls_key: Annotated[
        str,
        _FILE,
        About("The key of the certificate, in PEM and without a password; readable by the service alone", reloads=True),
    ] = ""
    trusted_proxies: Annotated[
        Networks,
        _TRUSTED,
        About(
            "Which proxies are believed when they say in X-Forwarded-For and X-Forwarded-Proto who asks, and how. Their"
            " connections count towards max_connections alone"
        ),
    ] = Networks((ip_network("127.0.0.1"), ip_network("::1")))
    max_connections: Annotated[
        int,
        Number(10, 100_000, "connections", whole=True),
        About(
            "How many connections there may be; each needs a file descriptor, of which the service keeps 128 for itself"
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
        About("How many requests are answered at a time; what is too much is answered 503 at once"),
    ] = 500
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
        _ORIGINS,
        About(
            "The web pages that may use the API from a browser, with sessions; browsers keep all others out",
            reloads=True,
        ),
    ] = Origins()

    @property
    def url(self) -> str:
        """Where it is served, as it is named here."""
        return f"{'https' if self.tls_certificate else 'http'}://{self.listen}"


@dataclass(frozen=True, slots=True)
class Ari:
    """`[ari]`: how to reach Asterisk."""

    password: Annotated[
        str,
        _ARI_PASSWORD,
        About("The password of the ARI user, as in ari.conf; or leave it to C2C_ARI__PASSWORD", secret=True),
    ] = field(repr=False)
    url: Annotated[str, _ARI_URL, About("Where Asterisk's HTTP server listens; without /ari")] = "http://127.0.0.1:8088"
    username: Annotated[str, _ARI_USER, About("A user of ari.conf that is not read_only")] = "c2c-stasis"
    app: Annotated[
        str,
        _named("the Stasis application"),
        About("The Stasis application. Two services on one Asterisk need two names, and two databases"),
    ] = "c2c-stasis"
    request_timeout: Annotated[float, Number(0.1, 60, "seconds"), About("How long one request may take")] = 3.0
    pool: Annotated[
        int,
        Number(1, 32, "connections", whole=True),
        About("How many requests go to Asterisk at a time. Its sessionlimit (http.conf) must be well above"),
    ] = 20
    log: Annotated[
        str,
        _FOLDER,
        About(
            "A folder for the ARI log: all that is asked of Asterisk, what it says, and what calls make of it. Without one,"
            " none is written",
            reloads=True,
        ),
    ] = ""
    log_max_mb: Annotated[
        int,
        Number(2, 100_000, "megabytes", whole=True),
        About("How large the files of the ARI log may become together; the oldest go first", reloads=True),
    ] = 500
    log_numbers: Annotated[
        LogNumbers,
        _LOG_NUMBERS,
        About(
            "How telephone numbers stand in the ARI log: masked (+1555•••4567), or full. Secrets never do", reloads=True
        ),
    ] = LogNumbers.MASKED


@dataclass(frozen=True, slots=True)
class Database:
    """`[database]`: where calls and the directory are kept."""

    url: Annotated[
        str,
        _DATABASE_URL,
        About("The database file, of one running service alone. A relative path counts from its working directory"),
    ] = "sqlite+aiosqlite:///c2c.db"


@dataclass(frozen=True, slots=True)
class Trunk:
    """`[[trunks]]`: a way out to the telephone network; without one, only extensions can be called.

    A trunk with `emergency` carries emergency calls and nothing else; a trunk with `test` carries the calls of test keys and
    nothing else.
    """

    name: Annotated[str, _named("the trunk"), About("What we call it. Each trunk has its own name", reloads=True)]
    endpoint: Annotated[
        str, _TRUNK_ENDPOINT, About("What Asterisk dials; after the @ stands an endpoint of pjsip.conf", reloads=True)
    ]
    format: Annotated[
        NumberFormat,
        _NUMBER_FORMAT,
        About("How the carrier wants a number: +442079460018, 442079460018, 00442079460018, 02079460018", reloads=True),
    ] = NumberFormat.E164
    prefix: Annotated[str, _PREFIX, About('Digits before every number; not with format = "e164"', reloads=True)] = ""
    emergency: Annotated[
        bool, Flag(), About("Whether it carries emergency calls, and then nothing else", reloads=True)
    ] = False
    test: Annotated[
        bool, Flag(), About("Whether it carries the calls of test keys, and then nothing else", reloads=True)
    ] = False

    @property
    def pjsip_endpoint(self) -> str:
        """The name of its endpoint at Asterisk."""
        return self.endpoint.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Calls:
    """`[calls]`: how long each part of a call may take, and how many a user may have. A live call keeps what it began with."""

    ring_timeout: Annotated[
        float, Number(1, 120, "seconds"), About("How long the user's phones ring", reloads=True)
    ] = 30.0
    answer_timeout: Annotated[
        float, Number(1, 180, "seconds"), About("How long the destination may take to answer", reloads=True)
    ] = 60.0
    max_duration: Annotated[
        float, Number(1, 86_400, "seconds"), About("How long they may talk; emergency calls may longer", reloads=True)
    ] = 14_400.0
    max_calls_per_user: Annotated[
        int,
        Number(1, 100, "calls", whole=True),
        About("How many calls a user may have at a time; an emergency call is never refused for it", reloads=True),
    ] = 2
    tone_seconds: Annotated[
        float,
        Number(0, 30, "seconds"),
        About("How long the user hears the tone that says why the destination was not reached", reloads=True),
    ] = 4.0
    double_click_seconds: Annotated[
        float,
        Number(0, 60, "seconds"),
        About(
            "How long a request for the same user and number, while the first call rings, means that call", reloads=True
        ),
    ] = 3.0


@dataclass(frozen=True, slots=True)
class Sip:
    """`[sip]`: where phones that the service provisions register. Asterisk's own files say where it listens."""

    domain: Annotated[
        str,
        _SIP_DOMAIN,
        About("The name or address of Asterisk as phones reach it; if it is empty, the host of [ari] url"),
    ] = ""
    port: Annotated[
        int,
        Number(0, 65_535, whole=True),
        About("The port that phones use; 0 is the transport's own, 5060, or 5061 for tls"),
    ] = 0
    transport: Annotated[
        str, _TRANSPORT, About("How phones connect. tls hides who is called; the sound stays as it is")
    ] = "udp"
    contact_acl: Annotated[
        str,
        _CONTACT_ACL,
        About("The list in Asterisk's acl.conf that says where phones may be; if it is empty, anywhere"),
    ] = "phone-contacts"


@dataclass(frozen=True, slots=True)
class Retention:
    """`[retention]`: how long something is kept."""

    calls_days: Annotated[
        int,
        Number(0, 36_500, "days", whole=True),
        About("After how many days an ended call is deleted, with its events; 0 keeps it for ever", reloads=True),
    ] = 0


@dataclass(frozen=True, slots=True)
class MetricsAt:
    """`[metrics]`: where Prometheus reads. On the port of the API it takes a platform key to read `/metrics`."""

    listen: Annotated[
        str,
        _METRICS_LISTEN,
        About(
            "Where /metrics is served besides, to everybody who reaches it and without TLS: an address that only Prometheus"
            ' reaches, such as "127.0.0.1:9464"'
        ),
    ] = ""

    @property
    def address(self) -> Address | None:
        """Where that is, if anywhere."""
        return _address(self.listen) if self.listen else None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`[webhooks]`: where events may be sent, and how long that is tried. Customers choose the addresses."""

    allow_subnets: Annotated[
        Networks,
        _SUBNETS,
        About(
            "Networks that are not of the internet and may be reached nevertheless: every customer can then send requests"
            " there, except to this service and to Asterisk's HTTP server"
        ),
    ] = Networks()
    allow_http: Annotated[bool, Flag(), About("Whether events may be sent without TLS, for everybody to read")] = False
    ports: Annotated[Ports, _PORTS, About("The ports that are allowed beside 443 and 8443; for http, 80 too")] = Ports()
    ca_file: Annotated[
        str, _FILE, About("Certificates of authorities that are trusted beside the system's, in PEM; for an intranet")
    ] = ""
    disable_after: Annotated[
        float,
        Number(0.01, 60, "days"),
        About("An endpoint at which every attempt failed for so long is disabled, and that is announced"),
    ] = 5.0
    keep_deliveries: Annotated[
        float, Number(1, 365, "days"), About("How long it is kept what was sent, and what was answered")
    ] = 7.0


@dataclass(frozen=True, slots=True)
class Log:
    """`[log]`: how much is logged, and how it is written."""

    level: Annotated[str, _LEVEL, About("The least important lines that are written", reloads=True)] = "info"
    format: Annotated[LogFormat, _LOG_FORMAT, About("One JSON object a line, or text for people")] = LogFormat.TEXT


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    ari: Ari
    http: Http = field(default_factory=Http)
    database: Database = field(default_factory=Database)
    trunks: tuple[Trunk, ...] = ()
    calls: Calls = field(default_factory=Calls)
    sip: Sip = field(default_factory=Sip)
    retention: Retention = field(default_factory=Retention)
    metrics: MetricsAt = field(default_factory=MetricsAt)
    webhooks: Webhooks = field(default_factory=Webhooks)
    log: Log = field(default_factory=Log)


SECTIONS: dict[str, type] = {
    "http": Http,
    "ari": Ari,
    "database": Database,
    "trunks": Trunk,
    "calls": Calls,
    "sip": Sip,
    "retention": Retention,
    "metrics": MetricsAt,
    "webhooks": Webhooks,
    "log": Log,
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key, with all that is said where it is defined."""

    name: str
    rule: Rule
    about: About
    default: object  # MISSING for a key that must be set

    @property
    def required(self) -> bool:
        """Whether it must be set."""
        return self.default is MISSING


def keys_of(section: type) -> dict[str, Key]:
    """The keys of a section, in the order of their definition."""
    return _KEYS[section]


def _read_keys(section: type[Any]) -> dict[str, Key]:
    hints = get_type_hints(section, include_extras=True)
    keys = {}
    for one in fields(section):
        rule, about = hints[one.name].__metadata__
        keys[one.name] = Key(one.name, rule, about, one.default)
    return keys


_KEYS = {section: _read_keys(section) for section in SECTIONS.values()}


def meaning_of(section: type) -> str:
    """What a section is for, in one sentence: what stands after its name in its docstring."""
    sentence = (section.__doc__ or "").partition("\n")[0].partition(": ")[2]
    return sentence[:1].upper() + sentence[1:].removesuffix(".")
