"""Bad requests, hundreds of them, against the running service: each is refused for what it is, and nothing else happens."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from c2c_stasis.app import App
from c2c_stasis.config import Config
from tests.live.waiting import until
from tests.surface.conftest import Running
from tests.surface.corpus import NUMBER, SECRET, SLOW, Bad, Kind, Site, Writer, corpus
from tests.surface.raw import Exchange, Response, exchange

AT_A_TIME = 32
MORE_MEMORY = 24_000_000  # bytes that a process may keep after thousands of requests, in the pools of its allocator
MORE_DESCRIPTORS = 2


async def test_only_the_client_is_told_and_the_service_is_as_well_as_before(running: Running) -> None:
    kinds = corpus(running.site)
    assert len(kinds) >= 40
    assert sum(len(kind.requests) for kind in kinds) >= 300
    await _tried(running.host, running.port, _first_of_each(kinds))  # so that what is made at first need has been made
    before = _size(running)

    wrong = await _tried(running.host, running.port, kinds)

    counts = Counter({kind.name: len(kind.requests) for kind in kinds})
    for name, count in counts.items():
        print(f"{count:5} {name}")  # noqa: T201 # what is shown, with pytest -s
    print(f"{counts.total():5} bad requests of {len(kinds)} kinds, {len(wrong)} answered wrongly")  # noqa: T201
    assert not wrong, "\n".join(wrong)
    await _unharmed(running, before)


async def test_every_task_and_socket_of_a_bad_request_is_given_back(prepared: tuple[Config, Site]) -> None:
    config, site = prepared
    quick = [kind for kind in corpus(site) if kind.name not in SLOW]
    async with App(config) as app:
        host, _, port = app.url.removeprefix("http://").partition(":")
        await _tried(host, int(port), _first_of_each(quick))
        await until(lambda: app._server.connections == 0, "the end of every connection")
        before = _tasks()
        assert await _tried(host, int(port), quick) == []
        await until(lambda: app._server.connections == 0, "the end of every connection")
        await until(lambda: not _tasks() - before, f"no tasks but {before}")


def _tasks() -> Counter[str]:
    """How many tasks there are of each kind."""
    return Counter(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())


async def _tried(host: str, port: int, kinds: Iterable[Kind]) -> list[str]:
    """Send them all, and tell which were not answered as they should be."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def send(one: Bad) -> Exchange:
        return await exchange(host, port, *one.parts, pause=one.pause, leave=one.leave, head=one.head)

    async def try_one(kind: Kind, one: Bad) -> str:
        if kind.name in SLOW:
            return _wrong(kind, one, await send(one))
        async with turn:
            return _wrong(kind, one, await send(one))

    results = await asyncio.gather(*(try_one(kind, one) for kind in kinds for one in kind.requests))
    return [result for result in results if result]


def _first_of_each(kinds: Iterable[Kind]) -> list[Kind]:
    return [Kind(kind.name, kind.requests[:1]) for kind in kinds if kind.name not in SLOW]


def _wrong(kind: Kind, one: Bad, found: Exchange) -> str:
    """What is wrong with the answer; nothing, if it is as it should be."""
    faults = [fault for response in found.responses for fault in _faults(one, response)]
    if not found.responses and not one.leave and not (one.silent and found.closed):
        faults.append("was not answered")
    if found.rest:
        faults.append(f"was answered with something that is no response: {found.rest[:80]!r}")
    what = b"".join(one.parts)
    return f"{kind.name}: {what[:200]!r} {', '.join(faults)}" if faults else ""


def _faults(one: Bad, response: Response) -> list[str]:
    faults = []
    if response.status not in one.statuses or not 400 <= response.status < 500:
        faults.append(f"was answered {response.status} and not {one.statuses}: {response.body[:100]!r}")
    if "x-request-id" not in response.headers:
        faults.append("got no request id")
    if response.headers.get("server", "c2c-stasis") != "c2c-stasis":
        faults.append("was told our software")
    if one.head:
        return faults
    if response.headers.get("content-type") != "application/json":
        faults.append(f"got {response.headers.get('content-type')}")
        return faults
    body = response.json()
    if not (
        isinstance(body.get("error"), str)
        and isinstance(body.get("code"), str)
        and body.keys() <= {"error", "code", "details"}
    ):
        faults.append(f"got the body {body}")
    if SECRET.encode() in response.body:
        faults.append("was told its own secret")
    return faults


async def _unharmed(running: Running, before: tuple[int, int]) -> None:
    """It is ready, places a call, has let go of everything, and its log tells no secret and no fault."""
    writer = Writer(running.site)
    assert (await _ask(running, writer.get("/readyz"))).status == 200
    assert (await _ask(running, writer.called())).status == 202
    await until(lambda: _size(running)[0] <= before[0] + MORE_DESCRIPTORS, f"{before[0]} descriptors")
    assert _size(running)[1] <= before[1] + MORE_MEMORY
    assert running.process.alarms() == []
    log = (Path(running.process.folder) / "service.log").read_text()
    for secret in (running.site.key, running.site.key.removeprefix("sk_live_"), SECRET, NUMBER, "Traceback"):
        assert secret not in log


async def _ask(running: Running, data: bytes) -> Response:
    return (await exchange(running.host, running.port, data, only=1)).responses[0]


def _size(running: Running) -> tuple[int, int]:
    """Open descriptors, and bytes of memory."""
    proc = Path(f"/proc/{running.process.pid}")
    pages = int((proc / "statm").read_text().split()[1])
    return len(list((proc / "fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")
