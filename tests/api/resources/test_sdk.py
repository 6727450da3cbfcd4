"""The browser SDK against the service itself: what it sends is understood, and what it is told is what it promises.

It runs in Node.js from `sdk/js/dist`, which `make sdk` builds; its own tests are in `sdk/js/test`.
"""

import asyncio
import csv
import json
import re
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from c2c_stasis.directory import dial_strings
from c2c_stasis.errors import NumberNotDialable
from c2c_stasis.ports import Contact
from tests.api.resources.office import Office
from tests.live.proxy import CuttableProxy
from tests.node import NODE

ROOT = Path(__file__).parents[3]
SDK = ROOT / "sdk/js/dist/index.js"

# What every script begins with. It is told addresses and ids, and tells lines of JSON; a line to it is the next step.
HEAD = """
import { createInterface } from 'node:readline';
import { DialStackError, isDialable, loadDialStack } from %(sdk)s;

const { api, secret, user } = %(told)s;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const heard = async () => (await lines.next()).value;
const tell = (value) => console.log(JSON.stringify(value));
const dialstack = await loadDialStack('pk_test_page', { apiUrl: api, fetchClientSecret: () => secret });
"""


class Page:
    """A script that uses the SDK, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._in, self._out = process, process.stdin, process.stdout

    @classmethod
    async def open(cls, script: str, **told: str) -> "Page":
        assert SDK.exists(), f"{SDK} is not built: make sdk"
        head = HEAD % {"sdk": json.dumps(SDK.as_uri()), "told": json.dumps(told)}
        arguments = ("--input-type=module", "-e", head + script)
        return cls(await asyncio.create_subprocess_exec(NODE, *arguments, stdin=PIPE, stdout=PIPE))

    async def hear(self) -> Any:
        """The next line that it tells."""
        line = await self._out.readline()
        assert line, "the page ended before it told what it should"
        return json.loads(line)

    def say(self, line: str = "go") -> None:
        self._in.write(f"{line}\n".encode())

    async def end(self) -> None:
        self._in.close()
        rest = await self._out.read()
        assert (await self._process.wait(), rest) == (0, b"")


async def secret_of(office: Office) -> str:
    session = await office.make("/v1/user_sessions", user=office.user.id)
    return str(session["client_secret"])


async def rings(office: Office) -> None:
    """The user has a phone, which rings and nobody answers."""
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk")
    office.switch.registered["desk"] = [Contact("sip:desk@192.0.2.1")]


async def test_a_page_places_a_call_finds_it_and_ends_it(office: Office) -> None:
    await rings(office)
    page = await Page.open(
        """
        const dialString = '+1\\u00a0555-123-4567'; // with a blank of typesetters
        const placed = await dialstack.calls.create({ userId: user, dialString, metadata: { crm: '42' } });
        const events = [];
        const ended = new Promise((done) => dialstack.calls.follow(placed.id, (event) => {
          events.push(event.type);
          if (event.type === 'call.end') done(event.data.reason);
        }));
        const { state, to_number, metadata } = await dialstack.calls.retrieve(placed.id);
        tell([placed.replayed, state, to_number, metadata]);
        const { data, next } = await dialstack.calls.list({ userId: user, toNumber: '+15551234567', live: true, limit: 1 });
        tell([data.map(({ id }) => id === placed.id), next]);
        await dialstack.calls.cancel(placed.id);
        tell([await ended, events, (await dialstack.calls.retrieve(placed.id)).outcome]);
        """,
        api=office.url,
        secret=await secret_of(office),
        user=office.user.id,
    )
    assert await page.hear() == [False, "ringing_user", "+15551234567", {"crm": "42"}]
    assert await page.hear() == [[True], None]
    assert await page.hear() == ["cancelled_by_api", ["call.end"], "cancelled"]
    await page.end()


async def test_the_snippet_of_the_readme_places_a_call(office: Office) -> None:
    await rings(office)
    (snippet, *_) = re.findall(r"```js\n(.*?)```", (ROOT / "sdk/js/README.md").read_text(), re.DOTALL)
    told = {
        "'@c2c-stasis/sdk'": json.dumps(SDK.as_uri()),
        "'https://calls.example.com'": json.dumps(office.url),
        "'user_01h2xcejqtf2nbrexx3vqjhp42'": json.dumps(office.user.id),
    }
    for example, ours in told.items():
        assert example in snippet
        snippet = snippet.replace(example, ours)
    session = await office.make("/v1/user_sessions", user=office.user.id)
    # What a browser has and Node.js has not: an address that the route of the page's own server is relative to.
    server = f"""
    const plain = fetch;
    globalThis.fetch = (url, how) => url === '/api/dialstack/session' ? Response.json({json.dumps(session)}) : plain(url, how);
    """
    page = await asyncio.create_subprocess_exec(NODE, "--input-type=module", "-e", server + snippet)
    assert await page.wait() == 0
    (call,) = (await office.get("/v1/calls"))["data"]
    assert (call["user_id"], call["to_number"], call["state"]) == (office.user.id, "+15551234567", "ringing_user")


async def test_the_same_key_is_the_same_call(office: Office) -> None:
    await rings(office)
    page = await Page.open(
        """
        const call = { userId: user, dialString: '+15551234567', idempotencyKey: 'order 4711' };
        const [first, second] = [await dialstack.calls.create(call), await dialstack.calls.create(call)];
        tell([first.id === second.id, first.replayed, second.replayed]);
        """,
        api=office.url,
        secret=await secret_of(office),
        user=office.user.id,
    )
    assert await page.hear() == [True, False, True]
    await page.end()


async def test_what_the_service_refuses_has_its_status_its_code_and_its_field(office: Office) -> None:
    page = await Page.open(
        """
        const number = '+15551234567';
        for (const asked of [
          () => dialstack.calls.create({ userId: user, dialString: '5551234' }),
          () => dialstack.calls.create({ userId: user, dialString: '+442079460018' }),
          () => dialstack.calls.create({ userId: 'user_01h2xcejqtf2nbrexx3vqjhp42', dialString: number }),
          () => dialstack.calls.create({ userId: user, dialString: number, metadata: { '': 'x' } }),
          () => dialstack.calls.create({ userId: user, dialString: number, ringTimeout: 1 }),
          () => dialstack.calls.retrieve('call_01h2xcejqtf2nbrexx3vqjhp42'),
          () => dialstack.calls.list({ limit: 1000 }),
        ]) {
          const { status, code, field, rule } = await asked().then(() => ({}), (error) => error);
          tell([status, code, field, rule]);
        }
        """,
        api=office.url,
        secret=await secret_of(office),
        user=office.user.id,
    )
    assert [await page.hear() for _ in range(7)] == [
        [400, "validation_error", "dialString", "impossible_number"],
        [403, "destination_not_allowed", None, "other_region"],
        [403, "not_allowed", None, None],
        [400, "validation_error", "metadata", None],
        [400, "validation_error", "ringTimeout", None],
        [404, "call_not_found", None, None],
        [400, "validation_error", "limit", None],
    ]
    await page.end()


async def test_every_event_comes_once_through_cuts(office: Office) -> None:
    proxy = await CuttableProxy.start(office.url)
    page = await Page.open(
        """
        dialstack.on('call.*', (event) => tell(event.data.call_id)).on('connected', () => tell('connected'));
        await heard();
        dialstack.close();
        """,
        api=proxy.url,
        secret=await secret_of(office),
    )
    assert await page.hear() == "connected"
    placed: list[str] = []
    for _ in range(5):
        placed.append(await office.call(office.user.id))
        await proxy.cut()
        placed.append(await office.call(office.user.id))
        await proxy.mend()
        placed.append(await office.call(office.user.id))
    told: list[str] = []
    while len(told) < len(placed):
        line = await page.hear()
        told += [] if line == "connected" else [f"/v1/calls/{line}"]
    page.say()
    await page.end()
    await proxy.cut()
    assert told == placed


async def test_no_number_that_the_service_would_dial_is_refused_by_the_page(office: Office) -> None:
    with (ROOT / "tests/policy/numbers.csv").open() as file:
        numbers = [row["number"] for row in csv.DictReader(file)]
    written = [
        "(555) 123-4567",
        "555.123.4567",
        "1001",
        "911",
        "9-1-1",
        "933",
        "112",
        "9 911",
        "17",
        "011 44 20 7946 0018",
        "0 20 79460018",
    ]
    dialled = [one for one in [*numbers, *written, *(one.removeprefix("+") for one in numbers)] if _dials(one)]
    assert len(dialled) > 100
    page = await Page.open("tell(JSON.parse(await heard()).filter((one) => !isDialable(one)));", api=office.url)
    page.say(json.dumps(dialled))
    assert await page.hear() == []
    await page.end()


def _dials(text: str) -> bool:
    for region in ("US", "GB", "FR"):
        try:
            dial_strings.parse(text, region=region, extension_length=4)
        except NumberNotDialable:
            continue
        return True
    return False
