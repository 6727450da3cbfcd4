"""Requests that are wrong in every way we know of, in named kinds.

Sources: RFC 9110 and 9112, RFC 8259, the request smuggling papers (CL.TE, TE.CL, TE.TE, obs-fold, bare LF), and what clients
were seen to send by mistake.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

UNKNOWN = "01h2xcejqtf2nbrexx3vqjhp99"
SECRET = "hunter2topsecret"  # stands in bodies, headers and queries; the log must not know it
NUMBER = "+15557654321"  # stands in bodies


@dataclass(frozen=True)
class Site:
    """Whom the requests are about."""

    key: str
    account: str
    user: str


@dataclass(frozen=True)
class Bad:
    """One bad request. `parts` are sent with `pause` seconds between them."""

    parts: tuple[bytes, ...]
    statuses: tuple[int, ...]  # any of these
    pause: float = 0.0  # seconds
    silent: bool = False  # whether the connection may also be closed without an answer, which HTTP allows there
    leave: bool = False  # whether the client goes away instead of waiting for an answer
    head: bool = False  # whether the answer has no body


@dataclass
class Kind:
    """A named kind of mistake."""

    name: str
    requests: list[Bad] = field(default_factory=list)


Make = Callable[["Writer"], Iterator[Bad]]
KINDS: list[tuple[str, Make]] = []


def kind(name: str) -> Callable[[Make], Make]:
    """Add a kind to the corpus."""

    def add(make: Make) -> Make:
        KINDS.append((name, make))
        return make

    return add


def corpus(site: Site) -> list[Kind]:
    """All of it."""
    writer = Writer(site)
    return [Kind(name, list(make(writer))) for name, make in KINDS]


class Writer:
    """Writes requests that are right but for one thing."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.good = {"user_id": site.user, "dial_string": NUMBER}
        self.authorization = f"Authorization: Bearer {site.key}"
        self.account = f"DialStack-Account: {site.account}"
        self.who = (self.authorization, self.account)

    def head(self, *lines: str | bytes, start: str | bytes = "GET /v1/users HTTP/1.1", host: bool = True) -> bytes:
        """A request line and these header lines."""
        every = [start, *(["Host: localhost"] if host else []), *lines, "", ""]
        return b"\r\n".join(line.encode("latin-1") if isinstance(line, str) else line for line in every)

    def get(self, path: str | bytes, *lines: str | bytes) -> bytes:
        """A GET with a good credential."""
        target = path if isinstance(path, bytes) else path.encode("latin-1")
        return self.head(*self.who, *lines, start=b"GET " + target + b" HTTP/1.1")

    def post(
        self, body: bytes | object, *lines: str | bytes, path: str = "/v1/calls", kind: str = "application/json"
    ) -> bytes:
        """A POST with a good credential and a right length; a body that is no bytes becomes JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = [f"Content-Type: {kind}"] if kind else []
        return (
            self.head(*self.who, *named, f"Content-Length: {len(sent)}", *lines, start=f"POST {path} HTTP/1.1") + sent
        )

    def framed(self, *lines: str | bytes, body: bytes = b"", start: str = "POST /v1/calls HTTP/1.1") -> bytes:
        """A POST with a good credential, whose length the lines give."""
        return self.head(*self.who, "Content-Type: application/json", *lines, start=start) + body

    def called(self, **fields: object) -> bytes:
        """A POST of a call with these fields changed; a field that is `...` is left out."""
        return self.post({name: value for name, value in (self.good | fields).items() if value is not ...})

    @property
    def body(self) -> bytes:
        """The body of a good call."""
        return json.dumps(self.good).encode()


def bad(data: bytes, *statuses: int, silent: bool = False) -> Bad:
    """In one piece."""
    return Bad((data,), statuses or (400,), silent=silent)


# --- the first line ---


@kind("no HTTP at all")
def _(w: Writer) -> Iterator[Bad]:
    for data in (b"GARBAGE\r\n\r\n", b"\r\n\r\n\r\nx\r\n\r\n", b"{}\r\n\r\n", b"\x00" * 64, b"\xff\xfe" * 20,
                 b"SSH-2.0-OpenSSH_9.2\r\n",
                 b"EHLO example.com\r\n", b"*1\r\n$4\r\nPING\r\n", b"INVITE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n"):  # fmt: skip
        yield bad(data)


@kind("TLS on the plain port")
def _(w: Writer) -> Iterator[Bad]:
    for version in (b"\x01", b"\x02", b"\x03"):
        yield bad(b"\x16\x03" + version + b"\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40))


@kind("the preface of HTTP/2")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    yield bad(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18))


@kind("methods that are none")
def _(w: Writer) -> Iterator[Bad]:
    for method in ("BREW", "get", "G ET", "GE\tT", "G\x00T", "", "GET,POST", "X" * 9000, "PÖST"):
        yield bad(w.head(*w.who, start=f"{method} /v1/users HTTP/1.1"))


@kind("methods that no route has")
def _(w: Writer) -> Iterator[Bad]:
    for method in ("PUT", "PATCH", "TRACE", "PROPFIND", "LINK", "PURGE", "REPORT"):
        yield bad(w.head(*w.who, start=f"{method} /v1/users HTTP/1.1"), 400, 405)
    yield bad(w.head(*w.who, start="DELETE /v1/users HTTP/1.1"), 405)
    yield bad(w.head(*w.who, "Content-Length: 0", start="POST /livez HTTP/1.1"), 405)
    yield Bad((w.head(*w.who, start="HEAD /v1/nowhere HTTP/1.1"),), (404,), head=True)


@kind("versions that are none of ours")
def _(w: Writer) -> Iterator[Bad]:
    for version in ("HTTP/2.0", "HTTP/1.2", "HTTP/3.0", "HTTP/0.9", "HTTP/1.10", "HTTP/1", "HTTP/01.1", "http/1.1",
                    "HTTP 1.1", "HTTPS/1.1",
                    "HTTP/1.1.1", "HTTP/+1.1", "HTTP/1.x"):  # fmt: skip
        yield bad(w.head(*w.who, start=f"GET /v1/users {version}"))
    yield bad(b"GET /v1/users\r\n\r\n")


@kind("CONNECT and other ways through a proxy")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.head(*w.who, start="CONNECT example.com:443 HTTP/1.1"), 400, 404, 405)
    yield bad(w.head(*w.who, start="CONNECT /v1/users HTTP/1.1"), 400, 404, 405)
    yield bad(w.head(*w.who, start="OPTIONS * HTTP/1.1"), 400, 404, 405)
    yield bad(w.head(*w.who, start="GET * HTTP/1.1"), 400, 404)


@kind("absolute targets")
def _(w: Writer) -> Iterator[Bad]:
    for target in ("http://169.254.169.254/latest/meta-data/", "http://localhost/v1/nowhere", "https://evil.example/v1/nowhere",
                   "http://[::1", "http://a:99999/", "http://user:pw@localhost/v1/nowhere", "http:///v1/nowhere",
                   "file:///etc/passwd",
                   "gopher://x/1", "http://"):  # fmt: skip
        yield bad(w.head(*w.who, start=f"GET {target} HTTP/1.1"), 400, 404)


@kind("targets that are none")
def _(w: Writer) -> Iterator[Bad]:
    for target in (
        "v1/users",
        "?x",
        "#",
        "\\v1\\users",
        "/v1/us\x00ers",
        "/v1/us\x7fers",
        "",
        "/a b",
        "/\u00ff",
        "/v1/users\x0b",
    ):
        yield bad(w.head(*w.who, start=f"GET {target} HTTP/1.1"), 400, 404)
    yield bad(w.head(*w.who, start=b"GET /v1/us\xc3\xa9rs HTTP/1.1"), 400, 404)
    yield bad(w.head(*w.who, start="GET /" + "a" * 9000 + " HTTP/1.1"), 400, 414)


@kind("paths that are written to be misread")
def _(w: Writer) -> Iterator[Bad]:
    for path in ("/v1/calls/%00", "/v1/calls/%2e%2e", "/v1/calls/..%2f..%2fetc%2fpasswd", "/v1/calls/%c0%af",
                 "/v1/calls/%c0%ae%c0%ae/",
                 "/v1/calls/%zz", "/v1/calls/%", "/v1/calls/%f0%28%8c%28", "/v1/calls/%ed%a0%80",
                 "/v1/calls/a%0d%0aX:%20y", "/v1//calls",
                 "//v1/calls/x", "/v1/calls/", "/V1/calls/x", "/v1/calls/%252e%252e", "/v1/users/..%5c..%5c", "/v1/calls/x;y=z",
                 "/v1/%63alls/x", "/v1/../v1/users/x", "/v1/users/./x", "/../../etc/passwd", "/v1/calls/x/events/y",
                 "/v1/users/%F0%9F%92%A9",
                 "/v1/extensions/%00", "/v1/extensions/1001%2f..", "/v1/calls/\x22onmouseover=x"):  # fmt: skip
        yield bad(w.get(path), 400, 404)


@kind("ids that are none, and ids of other things")
def _(w: Writer) -> Iterator[Bad]:
    wrong = (f"acct_{UNKNOWN}", f"ep_{UNKNOWN}", f"user_{UNKNOWN}", f"call_{UNKNOWN}", UNKNOWN, f"USER_{UNKNOWN}",
             f"user_{UNKNOWN.upper()}",
             f"user_{UNKNOWN}0", f"user_{UNKNOWN[:-1]}", "user_", "user_8zzzzzzzzzzzzzzzzzzzzzzzzz",
             "user_ilouilouilouilouilouilouil", "1", "-1",
             "null", "*", "'%20OR%201=1--", "user_" + "0" * 5000)  # fmt: skip
    for text in wrong:
        yield bad(w.get(f"/v1/users/{text}"), 404)
    for path in ("calls", "phone-numbers", "endpoints", "accounts", "extensions"):
        yield bad(w.get(f"/v1/{path}/did_{UNKNOWN}"), 404)
        yield bad(w.get(f"/v1/{path}/{w.site.user}"), 404)


@kind("queries that are wrong")
def _(w: Writer) -> Iterator[Bad]:
    for query in ("limit=0", "limit=101", "limit=-1", "limit=1.5", "limit=x", "limit=", "limit=1&limit=2",
                  "limit=%31%30%30%30",
                  "page=x", "page=%00", "page=" + "A" * 4000, "colour=red", "expand[]=password", "expand[]=%ff",
                  "search=a&search=b",
                  "limit=٣", "limit[$gt]=1", "limit=99999999999999999999", "__proto__=x"):  # fmt: skip
        yield bad(w.get(b"/v1/users?" + query.encode()), 400)


# --- the header ---


@kind("no Host, and more than one")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.head(*w.who, host=False))
    yield bad(w.head("Host: a", *w.who))
    yield bad(w.head("Host: localhost", *w.who))
    yield bad(w.head("host: b", *w.who))
    yield bad(w.head("X: y", host=False, start="POST /v1/calls HTTP/1.1"))


@kind("hosts that are none")
def _(w: Writer) -> Iterator[Bad]:
    for host in ("a b", "a@b", "a/b", "http://a", "a:b", "a:123456", "[::1", "a,b", "<script>", "a\\b", "a?b", "é"):
        expected = (404,) if host == "a,b" else (400,)  # a comma may stand in a name (RFC 3986 §3.2.2)
        yield bad(w.head(f"Host: {host}", *w.who, host=False, start="GET /v1/nowhere HTTP/1.1"), *expected)


@kind("lines that are folded")
def _(w: Writer) -> Iterator[Bad]:
    for line in (
        "X: a\r\n b",
        "X: a\r\n\tb",
        "X:\r\n a",
        f"Authorization:\r\n Bearer {w.site.key}",
        "Transfer-Encoding:\r\n chunked",
    ):
        yield bad(w.head(line))
    yield bad(w.head(" X: a", start="GET /v1/users HTTP/1.1", host=False))


@kind("line ends that are none")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.get("/v1/users").replace(b"\r\n", b"\n"))
    yield bad(w.get("/v1/users").replace(b"\r\n", b"\r"), silent=True)
    yield bad(w.get("/v1/users").replace(b"Host: localhost\r\n", b"Host: localhost\n"))
    yield bad(w.head("X: a\nY: b", *w.who))
    yield bad(w.head("X: a\rY: b", *w.who))
    yield bad(w.head("X: a\r\r\nY: b", *w.who))
    yield bad(w.head("X: a\n\rY: b", *w.who))


@kind("names of headers that are none")
def _(w: Writer) -> Iterator[Bad]:
    for line in ("Bad Header: x", "X : y", ": y", "X\tY: z", "X(y): z", "X[y]: z", "X@y: z", "X/y: z", "Ünicode: x",
                 "no colon", "X\x00Y: z",
                 '"X": y', "X;: y", "X=y: z", "{X}: y", "X\x7f: y", "Content-Length\x0b: 5",
                 "Transfer-Encoding : chunked"):  # fmt: skip
        yield bad(w.head(line, *w.who))


@kind("values of headers with control characters")
def _(w: Writer) -> Iterator[Bad]:
    for code in (0x00, 0x01, 0x07, 0x08, 0x0B, 0x0C, 0x1B, 0x1F, 0x7F):
        yield bad(w.head(f"X: a{chr(code)}b", *w.who))


@kind("headers without end")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.head("X: " + "a" * 9000, *w.who))
    yield bad(w.head("X: " + "a" * 100_000, *w.who))
    yield bad(w.head("X" * 9000 + ": a", *w.who))
    yield bad(w.head(f"Authorization: Bearer {'a' * 9000}"))
    yield bad(w.head("Cookie: " + "a=b; " * 5000, *w.who))
    yield bad(w.head(start="GET /v1/users?" + "a=b&" * 5000 + " HTTP/1.1"))


@kind("a thousand headers")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.head(*["A: b"] * 1000, *w.who))
    yield bad(w.head(*[f"A{number}: b" for number in range(1000)], *w.who))
    yield bad(w.head(*[f"X-Forwarded-For: 10.0.0.{number % 250}" for number in range(300)], *w.who))


@kind("an Authorization that is none")
def _(w: Writer) -> Iterator[Bad]:
    texts = ("", "Bearer", "Bearer ", f"Basic {SECRET}", w.site.key, f"Token {w.site.key}", f"Bearer{w.site.key}",
             f"Bearer {w.site.key}x",
             f"Bearer {w.site.key[:-1]}", f"Bearer {w.site.key.upper()}", f"Bearer {w.site.key} {w.site.key}",
             f"Bearer {w.site.key},{w.site.key}",
             f'Bearer "{w.site.key}"', "Bearer null", "Bearer undefined", "Bearer sk_live_", f"Bearer sk_live_{SECRET}",
             "Bearer é",
             f"Digest username={SECRET}", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "Negotiate YII=")  # fmt: skip
    for text in texts:
        yield bad(w.head(f"Authorization: {text}", w.account), 401)
    yield bad(w.head(w.account), 401)


@kind("credentials in other places")
def _(w: Writer) -> Iterator[Bad]:
    for line in (f"X-API-Key: {w.site.key}", f"Cookie: key={w.site.key}", f"Proxy-Authorization: Bearer {w.site.key}"):
        yield bad(w.head(line, w.account), 401)
    for query in ("api_key", "token", "access_token", "key"):
        yield bad(w.head(w.account, start=f"GET /v1/users?{query}={w.site.key} HTTP/1.1"), 401)
    yield bad(w.head(w.account, start=f"GET /v1/{w.site.key} HTTP/1.1"), 404)
    yield bad(w.head(w.account, start=f"GET http://{SECRET}:{w.site.key}@localhost/v1/users HTTP/1.1"), 400, 401)


@kind("headers that are there twice")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.head(*w.who, w.authorization), 400, 401)
    yield bad(w.head(*w.who, "Authorization: Bearer sk_live_other"), 400, 401)
    yield bad(w.head("authorization: Bearer x", *w.who), 400, 401)
    yield bad(w.head(*w.who, w.account))
    yield bad(w.head(*w.who, f"DialStack-Account: acct_{UNKNOWN}"))
    yield bad(w.head(*w.who, "dialstack-account: "))
    yield bad(w.post(w.good, "Content-Type: application/json"))
    yield bad(w.post(w.good, "Content-Type: text/plain"))


@kind("an account that is none of theirs")
def _(w: Writer) -> Iterator[Bad]:
    for text in (
        f"acct_{UNKNOWN}",
        w.site.user,
        "acct_",
        w.site.account.upper(),
        f"{w.site.account},{w.site.account}",
        "*",
        "é",
        SECRET,
    ):
        yield bad(w.head(w.authorization, f"DialStack-Account: {text}"), 403)
    yield bad(w.head(w.authorization), 400)
    yield bad(w.head(w.authorization, "DialStack-Account:"), 400)


@kind("expectations")
def _(w: Writer) -> Iterator[Bad]:
    for text in ("foo", "200-ok", "100-continue, foo", "", "100-continue=1"):
        yield bad(w.post(w.good, f"Expect: {text}"), 417)
    yield bad(w.post({}, "Expect: 100-continue"), 400)
    yield bad(w.post(b"x" * 20_000, "Expect: 100-continue"), 413)


@kind("upgrades")
def _(w: Writer) -> Iterator[Bad]:
    for what in ("websocket", "h2c", "TLS/1.0", "HTTP/2.0, SHTTP/1.3"):
        yield bad(
            w.get(
                "/v1/nowhere", "Connection: Upgrade", f"Upgrade: {what}", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
            ),
            400,
            404,
        )


# --- how long the body is ---


@kind("lengths that are none")
def _(w: Writer) -> Iterator[Bad]:
    for text in (
        "-1",
        "+2",
        "2.0",
        "0x2",
        "two",
        "",
        " ",
        "2 2",
        "2,2",
        "1e1",
        "２",
        "99999999999999999999999",
        "2;q=1",
        "\u0662",
    ):
        yield bad(w.framed(b"Content-Length: " + text.encode(), body=w.body), 400, 413)


@kind("two lengths")
def _(w: Writer) -> Iterator[Bad]:
    for first, second in ((2, 3), (2, 2), (0, 60), (60, 0), (2, -1)):
        yield bad(w.framed(f"Content-Length: {first}", f"Content-Length: {second}", body=w.body))
    yield bad(w.framed(f"Content-Length: {len(w.body)}", f"content-length: {len(w.body)}", body=w.body))


@kind("a length and chunks")
def _(w: Writer) -> Iterator[Bad]:
    smuggled = w.get("/v1/users")
    for te in ("chunked", "Chunked", "identity, chunked"):
        yield bad(w.framed("Content-Length: 4", f"Transfer-Encoding: {te}", body=b"0\r\n\r\n" + smuggled))
        yield bad(w.framed(f"Transfer-Encoding: {te}", "Content-Length: 6", body=b"0\r\n\r\n" + smuggled))
    yield bad(w.framed("Content-Length: 0", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"))


@kind("transfer encodings that are none of ours")
def _(w: Writer) -> Iterator[Bad]:
    for te in ("xchunked", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "deflate, chunked",
               "chunked;q=1",
               "chunked\x0b", '"chunked"', "chunke", "", " ", "trailers"):  # fmt: skip
        yield bad(w.framed(f"Transfer-Encoding: {te}", body=b"0\r\n\r\n"))
    yield bad(w.framed("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=b"0\r\n\r\n"))
    yield bad(w.framed("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"))
    yield bad(w.framed("Transfer-Encoding: chunked", body=b"0\r\n\r\n", start="POST /v1/calls HTTP/1.0"))


@kind("chunks that are none")
def _(w: Writer) -> Iterator[Bad]:
    for chunks in (b"Z\r\n\r\n", b"-1\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}x\r\n0\r\n\r\n",
                   b"ffffffffffffffffff\r\n", b"2\n{}\n0\n\n",
                   b" 2\r\n{}\r\n0\r\n\r\n", b"2;\x00\r\n{}\r\n0\r\n\r\n", b"\r\n", b"2\r\n{}0\r\n\r\n",
                   b"+2\r\n{}\r\n0\r\n\r\n"):  # fmt: skip
        yield bad(w.framed("Transfer-Encoding: chunked", body=chunks))


@kind("trailers that would be headers")
def _(w: Writer) -> Iterator[Bad]:
    for trailer in (
        b"Authorization: Bearer x",
        b"Content-Length: 5",
        b"Host: evil",
        b"bad trailer: x",
        b"X: " + b"a" * 9000,
    ):
        yield bad(w.framed("Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n"), 400)


@kind("chunks without a message")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.framed("Transfer-Encoding: chunked", body=b"0\r\n\r\n"))
    yield bad(w.framed("Transfer-Encoding: chunked", body=b"1\r\n{\r\n" * 3 + b"0\r\n\r\n"))
    yield bad(w.framed("Transfer-Encoding: chunked", body=b"1000\r\n" + b" " * 4096 + b"\r\n" + b"0\r\n\r\n"))


# --- what the body is ---


@kind("bodies that are too large")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.post(b" " * 16_385), 413)
    yield bad(w.post(b'{"metadata":"' + b"a" * 100_000 + b'"}'), 413)
    yield bad(w.framed("Content-Length: 1000000000", body=b"{"), 413)
    yield bad(w.framed("Content-Length: 9223372036854775807", body=b"{"), 413)
    yield bad(
        w.framed("Transfer-Encoding: chunked", body=(b"1000\r\n" + b" " * 4096 + b"\r\n") * 5 + b"0\r\n\r\n"), 413
    )
    yield bad(w.framed("Transfer-Encoding: chunked", body=b"1\r\n \r\n" * 17_000 + b"0\r\n\r\n"), 413)
    yield bad(w.post(b" " * 1_000_000, path="/v1/users"), 413)


@kind("content types that are none of ours")
def _(w: Writer) -> Iterator[Bad]:
    for text in ("text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                 "application/xml", "application",
                 "*/*", "application/jsonp", "application/json, text/plain", "application/vnd.api+json", "image/png",
                 "text/html", "é"):  # fmt: skip
        yield bad(w.post(w.good, kind=text), 415)
    yield bad(w.post(w.good, kind=""), 415)
    yield bad(w.post(w.good, "Content-Type:", kind=""), 415)


@kind("character sets that are not UTF-8")
def _(w: Writer) -> Iterator[Bad]:
    for name in ("utf-16", "iso-8859-1", "utf-7", "us-ascii", "utf-32", "ebcdic", '"latin1"', "utf-8; charset=utf-16"):
        yield bad(w.post(w.good, kind=f"application/json; charset={name}"), 415)


@kind("compressed bodies")
def _(w: Writer) -> Iterator[Bad]:
    bomb = gzip.compress(bytes(2_000_000))
    for name, body in (("gzip", gzip.compress(w.body)), ("gzip", bomb), ("deflate", zlib.compress(w.body)), ("br",
                       w.body), ("zstd", w.body),
                       ("x-gzip", bomb), ("compress", w.body), ("gzip, gzip", gzip.compress(bomb)), ("gzip, identity",
                       w.body), ("", w.body),
                       ("GZIP", bomb)):  # fmt: skip
        yield bad(w.post(body, f"Content-Encoding: {name}"), 415)
    yield bad(w.post(w.body, "Content-Encoding: identity", "Content-Encoding: gzip"), 400, 415)


@kind("encodings that are not UTF-8")
def _(w: Writer) -> Iterator[Bad]:
    text = w.body.decode()
    for body in (text.encode("utf-16"), text.encode("utf-32"), b"\xef\xbb\xbf" + w.body, b'{"user_id":"\xff"}',
                 b'{"user_id":"\xc0\xaf"}',
                 b'{"user_id":"\xed\xa0\x80"}', b'{"user_id":"\xf5\x80\x80\x80"}', b'{"user_id":"\xe2\x82"}',
                 '{"user_id":"é"}'.encode("latin-1")):  # fmt: skip
        yield bad(w.post(body))


@kind("JSON that is none")
def _(w: Writer) -> Iterator[Bad]:
    for text in ("", " ", "{", "}", "[", "{]", "{'a':1}", "{a:1}", '{"a":1,}', '{"a" 1}', '{"a":}', '{,}',
                 '{"a":1}{"b":2}', '{"a":1} x', "//x\n{}",
                 '{"a":01}', '{"a":.5}', '{"a":1.}', '{"a":+1}', '{"a":0x1}', '{"a":tru}', '{"a":"\\x"}',
                 '{"a":"\\u12"}', '{"a":"b}', "{\"a\":\"\n\"}",
                 "<xml/>", "user_id=x&dial_string=y", '{"a":1e}', "{\u00a0}"):  # fmt: skip
        yield bad(w.post(text.encode()))


@kind("JSON that is no object")
def _(w: Writer) -> Iterator[Bad]:
    for text in ("null", "true", "0", '""', "[]", "[{}]", '"{}"', "1e3", f'["{SECRET}"]'):
        yield bad(w.post(text.encode()))


@kind("keys that are there twice")
def _(w: Writer) -> Iterator[Bad]:
    user = w.site.user
    yield bad(w.post(f'{{"user_id":"{user}","user_id":"{user}","dial_string":"{NUMBER}"}}'.encode()))
    yield bad(w.post(f'{{"user_id":"{user}","dial_string":"911","dial_string":"{NUMBER}"}}'.encode()))
    yield bad(w.post(f'{{"user_id":"{user}","dial_string":"{NUMBER}","dial\\u005fstring":"{NUMBER}"}}'.encode()))
    yield bad(w.post(f'{{"user_id":"{user}","dial_string":"{NUMBER}","metadata":{{"a":"1","a":"2"}}}}'.encode()))


@kind("NUL, control characters and lone surrogates")
def _(w: Writer) -> Iterator[Bad]:
    for escape in (
        "\\u0000",
        "\\u0001",
        "\\u001b[31m",
        "\\u007f",
        "\\u0085",
        "\\ud800",
        "\\udfff",
        "\\udc00\\ud800",
        "\\uffff",
        "\\n",
        "\\r\\n",
    ):
        yield bad(w.post(f'{{"user_id":"{w.site.user}","dial_string":"{NUMBER}{escape}"}}'.encode()))
    yield bad(w.post(f'{{"user_id":"{w.site.user}","dial_string":"{NUMBER}","meta\\u0000data":{{}}}}'.encode()))


@kind("numbers without end")
def _(w: Writer) -> Iterator[Bad]:
    for number in (
        "9" * 17,
        "9" * 5000,
        "-" + "9" * 400,
        "1e400",
        "-1e400",
        "1e999999999",
        "NaN",
        "Infinity",
        "-Infinity",
        "0." + "9" * 5000 + "e999",
    ):
        yield bad(w.post(f'{{"user_id":"{w.site.user}","dial_string":{number}}}'.encode()))


@kind("nesting without end")
def _(w: Writer) -> Iterator[Bad]:
    for depth in (6, 100, 1000, 8000):
        yield bad(w.post(b'{"metadata":' + b"[" * depth + b"]" * depth + b"}"))
    yield bad(w.post(b'{"a":' * 1500 + b"1" + b"}" * 1500))
    yield bad(w.post(b"[" * 16_000))


# --- what the fields say ---


@kind("fields that are missing")
def _(w: Writer) -> Iterator[Bad]:
    for fields in (
        {"user_id": ...},
        {"dial_string": ...},
        {"user_id": None},
        {"dial_string": ""},
        {"user_id": "", "user": ""},
    ):
        yield bad(w.called(**fields))
    for path in ("/v1/users", "/v1/extensions", "/v1/phone-numbers", "/v1/user_sessions"):
        yield bad(w.post({}, path=path))


@kind("fields of the wrong type")
def _(w: Writer) -> Iterator[Bad]:
    values: tuple[object, ...] = (1, 1.5, True, [], {}, ["x"], {"$ne": ""})
    for value in values:
        yield bad(w.called(user_id=value))
        yield bad(w.called(dial_string=value))
        yield bad(w.post({"name": value}, path="/v1/users"))
        yield bad(w.post({"number": value, "target": w.site.user}, path="/v1/extensions"))
        yield bad(w.post({"phone_number": value}, path="/v1/phone-numbers"))
    texts: tuple[object, ...] = (1, "x", [], {"a": 1}, {"a": None}, {"": "x"}, {"a" * 65: "x"}, {"a": "x" * 513})
    for metadata in (*texts, {str(number): "" for number in range(17)}):
        yield bad(w.called(metadata=metadata))
    flags: tuple[object, ...] = ("yes", 1, [], {})
    for flag in flags:
        yield bad(w.post({"name": "x", "do_not_disturb": flag}, path="/v1/users"))


@kind("fields that nobody knows")
def _(w: Writer) -> Iterator[Bad]:
    for name in ("status", "id", "account_id", "__proto__", "constructor", "x" * 1000, "", "platform_id", "livemode"):
        yield bad(w.called(**{name: SECRET}))
        yield bad(w.post({"name": "x", name: SECRET}, path="/v1/users"))


@kind("users that are none")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.called(user_id=f"user_{UNKNOWN}"), 404)
    for text in (
        w.site.account,
        f"ep_{UNKNOWN}",
        w.site.user.upper(),
        w.site.user + " ",
        " " + w.site.user,
        "user_",
        "../x",
        "'; DROP TABLE users;--",
    ):
        yield bad(w.called(user_id=text))


@kind("dial strings that are no numbers")
def _(w: Writer) -> Iterator[Bad]:
    for text in ("+", "++15551234567", "5551234", "+1555123456789012", "١٢٣٤٥٦٧٨٩٠", "sip:a@b", "PJSIP/x@y",
                 "1001@evil", "+1555${EXTEN}4567", "Local/x@y",
                 "+15551234567\u200b", "tel:+15551234567", "+1555123456\x00"[:-1] + "&SIP/x", "*72", "#31#", "9" * 33,
                 "a" * 4000, "+15551234567,,1"):  # fmt: skip
        yield bad(w.called(dial_string=text), 400, 403)


@kind("identities in the path of another route")
def _(w: Writer) -> Iterator[Bad]:
    for path in (
        f"/v1/users/{w.site.account}",
        f"/v1/accounts/{w.site.user}",
        f"/v1/calls/{w.site.user}",
        f"/v1/keys/{w.site.user}",
    ):
        yield bad(w.head(*w.who, start=f"DELETE {path} HTTP/1.1"), 404, 405)


# --- the connection ---


@kind("several requests at once, one of them bad")
def _(w: Writer) -> Iterator[Bad]:
    yield bad(w.get("/v1/nowhere") + b"GARBAGE\r\n\r\n", 400, 404)
    yield bad(w.post({}) + w.post({}) + w.post({}), 400)
    yield bad(w.get("/v1/nowhere") * 40, 404)
    yield bad(w.framed("Content-Length: 5", body=b"{}\r\n\r" + w.get("/v1/nowhere")), 400, 404)


@kind("clients that go away")
def _(w: Writer) -> Iterator[Bad]:
    for data in (b"", b"G", b"POST /v1/calls HTTP/1.1\r\nHost: x\r\n", w.framed("Content-Length: 500", body=b"{"), w.post({}),
                 w.framed("Transfer-Encoding: chunked", body=b"5\r\n{"), w.get("/v1/users")):  # fmt: skip
        yield Bad((data,), (), leave=True)


@kind("slow headers")
def _(w: Writer) -> Iterator[Bad]:
    head = w.get("/v1/users")
    yield Bad((head[:-2],), (408,))
    yield Bad((b"GET /v1/us",), (408,))
    yield Bad((b"P",), (408,))
    yield Bad(tuple(head[at : at + 1] for at in range(20)), (408,), pause=0.6)
    yield Bad((head[:-2], *[b"X: y\r\n"] * 20), (408,), pause=0.6)
    yield Bad((b"",), (), silent=True)
    yield Bad((w.get("/v1/nowhere"), b"GET /v1"), (404, 408))


@kind("slow bodies")
def _(w: Writer) -> Iterator[Bad]:
    yield Bad((w.framed("Content-Length: 100", body=b"{"),), (408,))
    yield Bad((w.framed("Content-Length: 100"),), (408,))
    yield Bad((w.framed("Transfer-Encoding: chunked", body=b"5\r\n{"),), (408,))
    yield Bad((w.framed("Transfer-Encoding: chunked"), *[b"1\r\n \r\n"] * 25), (408,), pause=0.5)
    yield Bad((w.framed("Content-Length: 100"), *[b" "] * 25), (408,), pause=0.5)
    yield Bad((w.framed("Content-Length: 100", "Expect: 100-continue"),), (408,))
    yield Bad((w.framed("Content-Length: 100", body=b"{", start="POST /v1/users HTTP/1.1"),), (408,))


SLOW = ("slow headers", "slow bodies")
"""The kinds that last as long as the deadlines."""
