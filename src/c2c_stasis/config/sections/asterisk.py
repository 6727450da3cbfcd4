"""`[ari]`, `[[trunks]]` and `[sip]`: how Asterisk is reached, and through it carriers and phones."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import Flag, Number, Text, one_of
from c2c_stasis.config.sections.about import About


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
_FOLDER = Text(  # whole: `trace` looks there too, from wherever it is run
    "Give the whole path of a folder, such as /var/lib/c2c-stasis/ari-log, or leave the key out",
    "a path that begins with /, or none",
    r"(/[^\x00-\x1f\x7f]*)?",
)
_LOG_NUMBERS = one_of(list(LogNumbers), LogNumbers)
_TRUNK_ENDPOINT = Text(
    'Write it as endpoint = "PJSIP/{number}@carrier", where carrier is a PJSIP endpoint',
    "PJSIP/{number}@ and a PJSIP endpoint",
    r"PJSIP/\{number\}@[A-Za-z0-9_.-]{1,64}",
)
_PREFIX = Text(
    "Give the digits that go before every number, or leave the key out", "up to 7 digits, or none", "[0-9]{0,7}"
)
_NUMBER_FORMAT = one_of(list(NumberFormat), NumberFormat)
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


def _websocket_url(text: str) -> str:
    """An address that a page can open; or nothing."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise Wrong("is not a complete URL", _WEBSOCKET_FIX)
    if parts.username is not None or parts.fragment:
        raise Wrong("holds more than an address", _WEBSOCKET_FIX)
    return text


_WEBSOCKET_FIX = 'Write it as websocket_url = "wss://pbx.example.com/ws"'
_WEBSOCKET_URL = Text(_WEBSOCKET_FIX, "a wss or ws URL, or nothing", r"(wss?://[!-~]+)?", parse=_websocket_url)


def _named(what: str) -> Text:
    fix = f"Give {what} a name of letters, digits, _ and -"
    return Text(fix, "up to 64 letters, digits, _ and -", r"[A-Za-z0-9_-]{1,64}")


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
    trusted: Annotated[
        bool,
        Flag(),
        About(
            "Whether the carrier is told the number of an anonymous call (P-Asserted-Identity, Privacy: id) and keeps it;"
            " wants send_pai and trust_id_outbound of its endpoint",
            reloads=True,
        ),
    ] = False

    @property
    def pjsip_endpoint(self) -> str:
        """The name of its endpoint at Asterisk."""
        return self.endpoint.rpartition("@")[2]


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
    websocket_url: Annotated[
        str,
        _WEBSOCKET_URL,
        About(
            "Where browsers that are phones reach Asterisk's websocket. wss, unless page and Asterisk are on one machine."
            " If it is empty, no device can be a browser"
        ),
    ] = ""
    contact_acl: Annotated[
        str,
        _CONTACT_ACL,
        About("The list in Asterisk's acl.conf that says where phones may be; if it is empty, anywhere"),
    ] = "phone-contacts"
