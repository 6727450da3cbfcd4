"""The examples of docs/api.md: a server and a page that place a call and follow it, and a program that follows all calls."""

import asyncio
import os
import re
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis.ports import Contact
from tests.api.resources.office import Office
from tests.fakes.waiting import until
from tests.live.proxy import CuttableProxy
from tests.node import NODE

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text()
SERVER, FOLLOWER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(SCRIPT,) = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
# What a browser has and Node.js has not: an address that "/session" is relative to.
BROWSER = """
const [server, api, number] = process.argv.slice(1), plain = fetch;
globalThis.fetch = (url, options) => plain(new URL(url, server), options);
call(api, number, (...told) => console.log(...told)).catch((error) => console.log(error.message));
"""


@pytest.fixture
async def server(office: Office) -> AsyncIterator[str]:
    """The server of the example; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"C2C_BASE_URL": office.url, "C2C_API_KEY": office.key, "PORT": str(port)}
    environment |= {"C2C_ACCOUNT": office.account.id, "C2C_USER": office.user.id}
    process = await asyncio.create_subprocess_exec(sys.executable, "-u", "-c", SERVER, env=environment, stdout=PIPE)
    assert process.stdout is not None
    assert b"Running on" in await process.stdout.readline()
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    await process.communicate()


async def page(server: str, office: Office, number: str) -> Process:
    """The page, in which somebody clicks this number."""
    return await asyncio.create_subprocess_exec(NODE, "-e", SCRIPT + BROWSER, server, office.url, number, stdout=PIPE)


async def test_a_click_is_a_call_that_the_page_follows_to_its_end(office: Office, server: str) -> None:
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk")
    office.switch.registered["desk"] = [Contact("sip:desk@192.0.2.1")]
    clicked = await page(server, office, "+15551234567")
    assert clicked.stdout is not None
    assert await clicked.stdout.readline() == b"ringing_user null\n"
    (call,) = (await office.get("/v1/calls"))["data"]
    await office.delete(f"/v1/calls/{call['id']}")
    rest, _ = await clicked.communicate()
    assert rest.splitlines()[-1] == b"ended cancelled"


async def test_the_page_learns_why_there_is_no_call(office: Office, server: str) -> None:
    told, _ = await (await page(server, office, "nobody")).communicate()
    assert told.startswith(b"Invalid dial_string: ")


async def test_the_program_is_told_every_event_once_through_a_cut(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await CuttableProxy.start(office.url)
    for name, value in {"BASE_URL": proxy.url, "API_KEY": office.key, "ACCOUNT": office.account.id}.items():
        monkeypatch.setenv(f"C2C_{name}", value)
    names: dict[str, Any] = {}
    exec(FOLLOWER, names)
    told: list[dict[str, Any]] = []
    following = asyncio.create_task(names["follow"](told.append, "0"))
    await office.call(office.user.id)
    await until(lambda: len(told) == 1, "the first event")
    await proxy.cut()
    await office.call(office.user.id)
    await proxy.mend()
    await until(lambda: len(told) == 2, "the event of the time in which it was cut off")
    await office.call(office.user.id)
    await until(lambda: len(told) == 3, "the last event")
    following.cancel()
    await asyncio.wait({following})
    await proxy.cut()
    assert [event["type"] for event in told] == ["call.end"] * 3
    assert len({event["id"] for event in told}) == 3
