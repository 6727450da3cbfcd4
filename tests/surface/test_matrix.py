"""Every route, asked by everybody, about everything: what is not theirs is as if it were not there, byte for byte.

The cells follow from the route table: a new route is in the matrix by itself, and fails until it is said how what it names is
made (`World`), what its body must hold (`BODIES`) and what its id fields mean (`FIELDS`).
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse
from msgspec.structs import fields

from c2c_stasis.api.routes import KEYS, KEYS_FOR_ACCOUNT, OPEN, Route, Scope
from tests.api.resources.office import TABLE, Office
from tests.surface.world import ADDRESS, HOOKS, Actor, Owner, World

PROTECTED = [route for route in TABLE if route.scopes != OPEN]
FIELDS = {
    "user_id": "user_id",
    "target": "user_id",
    "account_id": "account_id",
    "caller_number_id": "number_id",
    "primary_did_id": "number_id",
    "did": "number_id",
    "did_id": "number_id",
    "device_id": "endpoint_id",
    "call_id": "call_id",
    "location_id": "location_id",
}
"""What an id in a body or a query names."""
KEPT = {"hold_music_clip_id", "main_location_id", "directory_listing_location_id", "routing_target"}
"""Fields that are kept for the client and looked up nowhere."""
KEPT_BY = {("POST", "/v1/phone-numbers", "location_id"), ("POST", "/v1/phone-numbers/{number_id}", "location_id")}
OF_A_MODE = {"call_id", "webhook_endpoint_id", "delivery_id"}
"""What a test key does not see, when a live one made it."""
_ID_FIELD = re.compile(r".*_id|.*target|did")
_NEVER_THE_SAME = ("x-request-id", "date")
_PART = re.compile(r"\{(\w+)[^}]*\}")

Whose = tuple[Owner, ...]


BODIES: dict[str, Callable[[World, dict[str, str]], dict[str, object]]] = {
    "/v1/calls": lambda world, own: {"user_id": own["user_id"], "dial_string": world.next("+1301555")},
    "/v1/accounts": lambda world, own: {"name": "made here"},
    "/v1/calls/preflight": lambda world, own: {"user_id": own["user_id"], "dial_string": "+13015550199"},
    "/v1/calls/erase": lambda world, own: {"number": "+13025550100"},
    "/v1/users": lambda world, own: {"name": "made here"},
    "/v1/users/{user_id}/endpoints": lambda world, own: {"endpoint": world.next("canary-desk-")},
    "/v1/extensions": lambda world, own: {"number": world.next(""), "target": own["user_id"]},
    "/v1/phone-numbers": lambda world, own: {"phone_number": world.next("+1202556")},
    "/v1/locations": lambda world, own: {"name": "made here", "address": ADDRESS},
    "/v1/webhook_endpoints": lambda world, own: {"url": HOOKS},
    "/v1/account_sessions": lambda world, own: {"account_id": own["account_id"]},
    "/v1/user_sessions": lambda world, own: {"user_id": own["user_id"]},
}
"""A body that is right, for every path that makes something and needs one."""


def body_for(route: Route, world: World, own: dict[str, str]) -> dict[str, object]:
    """A body that is right, for a route that needs one."""
    make = BODIES.get(path_of(route))
    body = make(world, own) if make else {}
    assert route.takes is not None
    missing = {one.encode_name for one in fields(route.takes) if one.required} - body.keys()
    made = route.method == "POST" and not route.path.endswith("}")
    assert not (made and missing), f"nobody told what {name_of(route)} needs: add {missing} to BODIES"
    return body


@dataclass(frozen=True)
class Cell:
    """One request: who asks which route, and whose id stands at which place."""

    route: Route
    place: str  # "path", "body user_id", "query user_id", "header"
    actor: Actor
    whose: Whose  # of the ids in the path, or of the one in the body, the query or the header


@dataclass
class Answers:
    """What was answered, by route and place, actor and owner."""

    statuses: dict[tuple[str, str], dict[str, dict[Whose, int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    unauthorized: set[bytes] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    asked: int = 0


@pytest.mark.timeout(180)
async def test_nobody_sees_or_changes_what_is_not_theirs(office: Office) -> None:
    world = World(office)
    await world.settle()
    answers = Answers()
    cells = list(_cells(world))
    await _ids_made(world, cells)
    for cell in cells:  # those that change nothing come first: there must be something left to be kept from others
        if not _visible(cell):
            await _ask_foreign(world, cell, answers)
    for cell in sorted(filter(_visible, cells), key=lambda cell: cell.route.method != "GET"):
        await _ask_own(
            world, cell, answers
        )  # to look comes first: a key may let Ann show Bob's number, and then she sees it

    _print(answers, world.actors)
    assert not answers.leaks, "\n".join(answers.leaks[:40])
    assert len(answers.unauthorized) == 1, answers.unauthorized


def test_every_id_in_a_body_or_a_query_is_one_that_the_matrix_tries() -> None:
    named = {one for route in TABLE for schema in (route.takes, route.filters) if schema for one in _id_fields(schema)}
    assert named <= FIELDS.keys() | KEPT, f"say in FIELDS what {named - FIELDS.keys() - KEPT} names"


# --- the cells ---


def _cells(world: World) -> Iterator[Cell]:
    for route, actor in itertools.product(PROTECTED, world.actors):
        for place, whose in _places(route, actor):
            yield Cell(route, place, actor, whose)


def _places(route: Route, actor: Actor) -> Iterator[tuple[str, Whose]]:
    parts = _PART.findall(route.path)
    own = (Owner.OWN,) * len(parts)
    yield "path", own
    for at, owner in itertools.product(range(len(parts)), Owner):
        if owner is not Owner.OWN:
            yield "path", (*own[:at], owner, *own[at + 1 :])
            if len(parts) > 1:
                yield "path", (owner,) * len(parts)
    if Scope.ACCOUNT in route.scopes and (actor.platform or Owner.OWN in actor.sees):
        yield from (("header", (owner,)) for owner in Owner if owner not in (Owner.OWN, Owner.OTHER_USER))
    for kind, schema in (("body", route.takes), ("query", route.filters)):
        for name in _id_fields(schema) if schema else ():
            if name not in KEPT and (route.method, path_of(route), name) not in KEPT_BY:
                yield from ((f"{kind} {name}", (owner,)) for owner in Owner)


def _id_fields(schema: type) -> list[str]:
    return [one.encode_name for one in fields(schema) if _ID_FIELD.fullmatch(one.encode_name)]


def _kinds(cell: Cell) -> list[str]:
    """What the ids of a cell name."""
    place, _, name = cell.place.partition(" ")
    if place == "path":
        return _PART.findall(cell.route.path)
    return ["account_id" if place == "header" else FIELDS[name]]


def _visible(cell: Cell) -> bool:
    """Whether everything that is named belongs to who asks. This is what we promise, said once more and without the code."""
    actor, route = cell.actor, cell.route
    if not actor.known or (not actor.platform and route.scopes in (KEYS, KEYS_FOR_ACCOUNT)):
        return False
    varied = cell.place.removeprefix("body ")
    needed = _named_by_body(route)
    if varied not in needed and cell.place != "header":
        if not all(_belongs(FIELDS[name], Owner.OWN, cell) for name in needed):
            return False  # its body is about our account, or about Ann
        if varied == "device_id" and cell.whose[0] is not Owner.OWN:
            return False  # a device rings for its own user alone
    if cell.place == "header":
        may = {"ours": (Owner.SIBLING,), "theirs": (Owner.STRANGER,)}
        return cell.whose[0] in may.get(actor.platform, actor.sees)
    if route.scopes != KEYS and actor.platform == "theirs":
        return False  # it names our account
    if cell.place != "path" and not all(_belongs(kind, Owner.OWN, cell) for kind in _PART.findall(route.path)):
        return False  # what is changed is not theirs
    together = len(set(cell.whose)) < 2  # a device is found below its own user alone
    return together and all(_belongs(kind, owner, cell) for kind, owner in zip(_kinds(cell), cell.whose, strict=True))


def _named_by_body(route: Route) -> list[str]:
    """The fields with which a body must name something."""
    required = [one.encode_name for one in fields(route.takes) if one.required] if route.takes else []
    return [name for name in required if name in FIELDS]


def _belongs(kind: str, owner: Owner, cell: Cell) -> bool:
    actor = cell.actor
    if kind in ("account_id", "key_id"):
        ours = owner in (Owner.OWN, Owner.OTHER_USER, Owner.SIBLING)
        return ours if actor.platform == "ours" else owner is Owner.STRANGER
    if kind in OF_A_MODE or not actor.platform:
        return owner in actor.sees
    return owner in (Owner.OWN, Owner.OTHER_USER)


async def _ids_made(world: World, cells: Iterable[Cell]) -> None:
    for cell in cells:
        for kind, owner in zip(_kinds(cell), cell.whose, strict=True):
            await world.id_of(kind, owner)


# --- asking ---


async def _ask_foreign(world: World, cell: Cell, answers: Answers) -> None:
    """It must be refused, as if what it names were not there."""
    status, said = await _asked(world, cell, answers)
    if not cell.actor.known:
        answers.unauthorized.add(said)
        if status != 401:
            answers.leaks.append(f"{_title(cell)}: answered {status} and not 401")
        return
    unknown = Cell(cell.route, cell.place, cell.actor, _unknown_instead(cell))
    if status < 400 and not cell.place.startswith("query"):
        answers.leaks.append(f"{_title(cell)}: answered {status}")
    if said != (await _asked(world, unknown, answers))[1]:
        answers.leaks.append(f"{_title(cell)}: answered otherwise than what is unknown: {said!r}")


async def _ask_own(world: World, cell: Cell, answers: Answers) -> None:
    """It must be found; what is wrong with it otherwise is for other tests."""
    status, said = await _asked(world, cell, answers, fresh=_uses_up(cell.route))
    refused = (401, 404) if cell.actor.name == "test key" else (401, 403, 404)
    if cell.place == "header":
        refused = (401, 403)  # what the path names is of another account
    if status in refused or status >= 500:
        answers.leaks.append(f"{_title(cell)}: answered {status} to who may see it: {said[-200:]!r}")


def _uses_up(route: Route) -> bool:
    """Whether a request leaves nothing to ask for again."""
    return route.method == "DELETE" or route.path.endswith(("/rotate", "/revoke_sessions"))


def _unknown_instead(cell: Cell) -> Whose:
    """Whose ids there would be if what is not theirs were not there: from the first one on that they cannot see."""
    found: list[Owner] = []
    for at, owner in enumerate(cell.whose):
        kinds = _kinds(cell)
        seen = (
            _belongs(kinds[at], owner, cell) and (not at or owner is cell.whose[at - 1]) and Owner.UNKNOWN not in found
        )
        found.append(owner if seen and cell.place != "header" else Owner.UNKNOWN)
    return tuple(found)


async def _asked(world: World, cell: Cell, answers: Answers, *, fresh: bool = False) -> tuple[int, bytes]:
    """The status, and all of the answer that must not differ."""
    own = {kind: await world.id_of(kind, Owner.OWN) for kind in ("user_id", "account_id")}
    parts = _PART.findall(cell.route.path)
    owners = cell.whose if cell.place == "path" else (Owner.OWN,) * len(parts)
    ids = [
        await world.id_of(kind, owner, fresh=fresh and at == len(parts) - 1)
        for at, (kind, owner) in enumerate(zip(parts, owners, strict=True))
    ]
    given = iter(ids.copy())
    path = re.sub(_PART, lambda _: quote(next(given)), cell.route.path)
    body = body_for(cell.route, world, own) if cell.route.takes is not None else None
    account = own["account_id"]
    place, _, name = cell.place.partition(" ")
    if place != "path":
        ids.append(await world.id_of(_kinds(cell)[0], cell.whose[0]))
    if place == "query":
        path += f"?{name}={ids[-1]}"
    elif place == "header":
        account = ids[-1]
    elif place == "body":
        assert body is not None
        body.pop("target", None)
        body[name] = ids[-1]
    if cell.route.media == "text/event-stream":
        path += ("&" if "?" in path else "?") + "after=0"  # else nothing would be told
    headers = {"Authorization": f"Bearer {cell.actor.token}"} if cell.actor.token is not None else {}
    if cell.actor.account_header or place == "header":
        headers["DialStack-Account"] = account
    async with world.office._client.request(cell.route.method, path, json=body, headers=headers) as response:
        text = await _said(response)
    answers.asked += 1
    answers.statuses[name_of(cell.route), cell.place][cell.actor.name][cell.whose] = response.status
    answers.leaks += [
        f"{_title(cell)}: tells {one!r}"
        for one in world.forbidden(cell.actor)
        if one in text and one.decode() not in ids and not (place == "header" and response.status < 400)
    ]
    kept = sorted(f"{key}: {value}" for key, value in response.headers.items() if key.lower() not in _NEVER_THE_SAME)
    said = f"{response.status}\n{kept}\n".encode() + text
    for one in ids:
        said = said.replace(one.encode(), b"<id>")
    return response.status, said


async def _said(response: ClientResponse) -> bytes:
    """The body; of a stream without end what comes first, with all that is replayed."""
    if response.content_type != "text/event-stream":
        return await response.read()
    return await response.content.readuntil(b": live\n\n")


# --- telling ---


def path_of(route: Route) -> str:
    return re.sub(r":[^}]*", "", route.path)


def name_of(route: Route) -> str:
    return f"{route.method} {path_of(route)}"


def _title(cell: Cell) -> str:
    return f"{name_of(cell.route)} ({cell.place}: {', '.join(cell.whose)}) by {cell.actor.name}"


def _print(answers: Answers, actors: list[Actor]) -> None:
    """The table: in each cell the statuses for own, other user's, sibling account's, stranger's and unknown ids."""
    print(f"\n{'':64}" + "".join(f"{actor.name:>21}" for actor in actors))  # noqa: T201 # what is shown, with pytest -s
    for (route, place), by_actor in answers.statuses.items():
        cells = []
        for actor in actors:
            found = by_actor.get(actor.name, {})
            told = [
                found.get(whose) for owner in Owner for whose in [next((w for w in found if set(w) == {owner}), ())]
            ]
            if () in found:
                told = [found[()]]
            cells.append(" ".join(str(status) for status in told if status))
        print(f"{route + ' ' + place:64}" + "".join(f"{cell:>21}" for cell in cells))  # noqa: T201
    print(f"{answers.asked} requests, {len(answers.leaks)} leaks")  # noqa: T201
