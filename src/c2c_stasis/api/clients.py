"""Who asks: the address at the other end of the connection, or the one that a trusted proxy names."""

from aiohttp import web

from c2c_stasis.api.admission import Admission, parsed

CLIENT = web.RequestKey("client", str)
"""Who asks, for the log: set by `edge` as soon as a request comes."""

FORWARDED_FOR = "X-Forwarded-For"
FORWARDED_PROTO = "X-Forwarded-Proto"


def client_of(request: web.Request, admission: Admission) -> str:
    """The address of the client.

    A proxy puts the address it sees at the end of what it was given, and what it was given may be anybody's invention: so the
    list is read from its end, for as long as those who wrote it are trusted.
    """
    client = request.remote or ""
    hops = [hop.strip() for line in request.headers.getall(FORWARDED_FOR, []) for hop in line.split(",")]
    while hops and admission.trusts(client) and (named := parsed(hops.pop())) is not None:
        client = str(named)
    return client


def scheme_of(request: web.Request, admission: Admission) -> str:
    """`https`, if the client's request was encrypted as far as we know; else `http`."""
    said = request.headers.getall(FORWARDED_PROTO, [])
    if len(said) == 1 and said[0] in ("http", "https") and admission.trusts(request.remote or ""):
        return said[0]
    return request.scheme
