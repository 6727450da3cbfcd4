"""Endpoints of Asterisk become devices: all that is asked for, or nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.api.resources.office import Office
from tests.cli.line import NOT_THERE, REFUSED, USAGE, WRONG_CONFIG, Line

ENDPOINTS = {
    "1001": "online",
    "1002": "offline",
    "1003": "unknown",
    "911": "online",
    "mobile": "online",
    "carrier": "online",
}
LOGIN = aiohttp.encode_basic_auth("c2c-stasis", "of-asterisk")


@pytest.fixture(autouse=True)
async def asterisk(folder: Path) -> AsyncIterator[str]:
    """An Asterisk with these endpoints, and a configuration that leads to it."""

    async def endpoints(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != LOGIN:
            return web.json_response({"message": "Authentication required"}, status=401)
        states = [{"technology": "PJSIP", "resource": name, "state": state} for name, state in ENDPOINTS.items()]
        return web.json_response(states)

    async def endpoint(request: web.Request) -> web.Response:
        known = request.match_info["name"] in ENDPOINTS
        return web.json_response(
            [{"attribute": "context", "value": "x"}] if known else {}, status=200 if known else 404
        )

    app = web.Application()
    app.router.add_get("/ari/endpoints/PJSIP", endpoints)
    app.router.add_get("/ari/asterisk/config/dynamic/res_pjsip/endpoint/{name}", endpoint)
    async with TestServer(app) as server:
        configure(folder, str(server.make_url("/")))
        yield str(server.make_url("/"))


def configure(folder: Path, url: str, password: str = "of-asterisk") -> None:
    trunk = '[[trunks]]\nname = "carrier"\nendpoint = "PJSIP/{number}@carrier"\n'
    (folder / "c2c.toml").write_text(f'[ari]\nurl = "{url}"\npassword = "{password}"\n{trunk}')


async def attached(line: Line) -> dict[str, str]:
    """Which user has each endpoint."""
    names = {user["id"]: user["name"] for user in await line.json("users", "list")}
    return {device["endpoint"]: names[device["user_id"]] for device in await line.json("devices", "list")}


async def test_without_a_choice_the_endpoints_are_listed_and_nothing_is_attached(office: Office, line: Line) -> None:
    await line.says("devices", "create", "Ann", "mobile")
    other = await office.store.create_account(office.platform.id, "Butcher")
    ben = await office.store.create_user(other.id, "Ben")
    await office.store.create_device(other.id, ben.id, "1003")
    await office.service.directory_changed()
    rows = [row.split(None, 2) for row in (await line.says("devices", "import", "--account", "Bakery")).splitlines()]
    assert rows == [
        ["ENDPOINT", "STATUS", "ATTACHED TO"],
        ["1001", "online", "-"],
        ["1002", "offline", "-"],
        ["1003", "offline", "another account"],
        ["911", "online", "-"],
        ["carrier", "online", "trunk"],
        ["mobile", "online", "Ann"],
    ]
    assert len((await office.store.directory()).devices) == 2


async def test_chosen_endpoints_are_attached_to_one_user_and_again_changes_nothing(line: Line) -> None:
    words = ("devices", "import", "--user", "ann", "--endpoint", "1001", "--endpoint", "mobile")
    assert await line.says(*words) == "1001: attached to Ann\nmobile: attached to Ann\n"
    assert await attached(line) == {"1001": "Ann", "mobile": "Ann"}
    result = await line.run(*words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "all that was asked for is so already" in result.stderr


async def test_a_dry_run_attaches_nothing(line: Line) -> None:
    words = ("devices", "import", "--user", "Ann", "--endpoint", "1001", "--dry-run")
    assert await line.says(*words) == "1001: would be attached to Ann\n"
    (planned,) = await line.json(*words)
    assert (planned["endpoint"], planned["attached"]) == ("1001", False)
    assert await attached(line) == {}


async def test_a_map_says_which_endpoint_is_whose(line: Line, folder: Path) -> None:
    await line.says("users", "create", "Bob", "--email", "bob@example.org")
    (folder / "map").write_text('# endpoint, user\n1001,Ann\n\n"1002", bob@example.org # Bob\n')
    await line.says("devices", "import", "--map", "map")
    assert await attached(line) == {"1001": "Ann", "1002": "Bob"}


async def test_every_bad_line_of_a_map_is_named(line: Line, folder: Path) -> None:
    (folder / "map").write_text("1001,Ann\n1002\n,Ann\n1,2,3\n")
    said = await line.fails(USAGE, "devices", "import", "--map", "map")
    assert [f"map:{number}:" in said for number in (1, 2, 3, 4)] == [False, True, True, True]
    assert await attached(line) == {}


async def test_endpoints_named_like_extensions_go_to_the_users_of_these(line: Line) -> None:
    await line.says("users", "create", "Bob")
    await line.says("extensions", "create", "1001", "Ann")
    await line.says("extensions", "create", "1002", "Bob")
    await line.says("extensions", "create", "1009", "Bob")
    await line.says("devices", "import", "--match-extensions")
    assert await attached(line) == {"1001": "Ann", "1002": "Bob"}


async def test_one_that_cannot_be_attached_keeps_all_others_back_and_all_are_named(line: Line, folder: Path) -> None:
    await line.says("users", "create", "Bob")
    await line.says("devices", "create", "Bob", "mobile")
    (folder / "map").write_text("1001,Ann\nmobile,Ann\ncarrier,Ann\nnothing,Ann\n1002,Zoe\n1003,Ann\n1003,Bob\n")
    said = await line.fails(REFUSED, "devices", "import", "--map", "map")
    assert said.splitlines() == [
        "c2c-stasis: nothing was attached:",
        "mobile: rings for Bob already; c2c-stasis devices delete mobile frees it",
        "carrier: is a trunk of the configuration, and rings nobody",
        "nothing: Asterisk has no such PJSIP endpoint; see c2c-stasis devices import",
        "1002: there is no user Zoe. See: c2c-stasis users list",
        "1003: is asked for twice, for two users",
    ]
    assert await attached(line) == {"mobile": "Bob"}


async def test_that_no_name_fits_is_not_told_as_if_all_were_done(line: Line) -> None:
    said = (await line.run("devices", "import", "--match-extensions", "--dry-run")).stderr
    assert "there is no extension yet" in said
    for number in ("2001", "2002"):
        await line.says("extensions", "create", number, "Ann")
    result = await line.run("devices", "import", "--match-extensions", "--dry-run")
    assert result.stderr == "nothing to attach: no endpoint is named like an extension (2001, 2002)\n"
    await line.says("extensions", "create", "1001", "Ann")
    await line.says("devices", "import", "--match-extensions")
    assert "is so already" in (await line.run("devices", "import", "--match-extensions")).stderr


async def test_a_device_whose_endpoint_asterisk_has_not_is_made_and_pointed_out(
    line: Line, folder: Path, asterisk: str
) -> None:
    made = await line.run("devices", "create", "Ann", "nosuch")
    assert made.exit_code == 0
    assert f"Asterisk at {asterisk.rstrip('/')} has no PJSIP endpoint nosuch: the device cannot ring" in made.stderr
    known = await line.run("devices", "update", "nosuch", "--endpoint", "1002")
    assert known.stderr == "No phone is registered as PJSIP/1002 now: see c2c-stasis devices import.\n"
    configure(folder, "http://127.0.0.1:1")
    unseen = await line.run("devices", "create", "Ann", "nothing")
    assert "No phone is registered as PJSIP/nothing now" in unseen.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--user", "Ann"),
        ("--endpoint", "1001"),
        ("--match-extensions", "--map", "c2c.toml"),
        ("--match-extensions", "--user", "Ann", "--endpoint", "1001"),
    ],
)
async def test_one_way_is_chosen_and_whole(line: Line, words: tuple[str, ...]) -> None:
    await line.fails(USAGE, "devices", "import", *words)


async def test_an_asterisk_that_does_not_answer_or_refuses_is_named(line: Line, folder: Path, asterisk: str) -> None:
    configure(folder, asterisk, password="wrong")
    said = await line.fails(NOT_THERE, "devices", "import")
    assert "401 Authentication required. Check [ari] in c2c.toml." in said
    configure(folder, "http://127.0.0.1:1")
    assert "Asterisk at http://127.0.0.1:1: Asterisk cannot be reached" in await line.fails(
        NOT_THERE, "devices", "import"
    )
    (folder / "c2c.toml").unlink()
    assert "c2c.toml cannot be read" in await line.fails(WRONG_CONFIG, "devices", "import")
