"""A real Asterisk, as the laboratory starts it: ready when it says so, its own ports or none, and gone afterwards."""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from c2c_stasis.lab import child
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.installation import Installation
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import Phone, RegistrationRefused
from c2c_stasis.lab.ports import Ports, free_ports
from c2c_stasis.lab.rundir import sweep

# The first run on a machine fetches 80 MB.
pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

DEVICE = DeviceAccount("desk", "pa;ss word")


@pytest.fixture(scope="module")
async def installation() -> Installation:
    return await obtain()


@pytest.fixture(scope="module")
async def asterisk(installation: Installation) -> AsyncIterator[Asterisk]:
    async with await Asterisk.start(installation, [DEVICE]) as one:
        yield one


@pytest.fixture
async def own(installation: Installation) -> AsyncIterator[Asterisk]:
    """An Asterisk that a test may kill."""
    async with await Asterisk.start(installation, [DEVICE]) as one:
        yield one


def alive(pid: int | None) -> bool:
    """Tell whether a process runs; a dead one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def alarms(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if re.search(r"\] (WARNING|ERROR)\[", line)]


def login(asterisk: Asterisk) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(asterisk.ari_username, asterisk.ari_password)}


async def status_of(asterisk: Asterisk, method: str, path: str, fields: dict[str, str] | None = None) -> int:
    """The status of one ARI request; `fields` as dynamic configuration wants them."""
    body = {"fields": [{"attribute": key, "value": value} for key, value in fields.items()]} if fields else None
    async with (
        aiohttp.ClientSession(headers=login(asterisk)) as session,
        session.request(method, f"{asterisk.ari_url}/{path}", json=body) as answer,
    ):
        return answer.status


async def get_text(asterisk: Asterisk, path: str) -> str:
    async with (
        aiohttp.ClientSession(headers=login(asterisk)) as session,
        session.get(f"{asterisk.ari_url}/{path}") as answer,
    ):
        return await answer.text()


async def test_it_starts_within_three_seconds(installation: Installation) -> None:
    took = []
    for _ in range(3):  # the best counts: this machine may have other work
        begun = time.monotonic()
        async with await Asterisk.start(installation):
            took.append(time.monotonic() - begun)
        if took[-1] < 3:
            return
    pytest.fail(f"it took {took} s")


async def test_ari_is_for_those_who_know_the_password(asterisk: Asterisk) -> None:
    assert await status_of(asterisk, "GET", "asterisk/info") == 200
    async with aiohttp.ClientSession() as stranger, stranger.get(f"{asterisk.ari_url}/asterisk/info") as answer:
        assert answer.status == 401


async def test_the_shipped_files_raise_no_alarm(asterisk: Asterisk) -> None:
    assert alarms(asterisk.log_path) == []


async def test_every_module_of_the_list_is_loaded(asterisk: Asterisk) -> None:
    wanted = set(re.findall(r"^load = (\S+)", (asterisk.run_dir / "etc/modules.conf").read_text(), re.MULTILINE))
    running = {line.split()[0] for line in (await asterisk.cli("module show")).splitlines() if " Running " in line}
    assert wanted - running == set()


async def test_it_may_open_as_many_files_as_the_hard_limit_allows(asterisk: Asterisk) -> None:
    info = json.loads(await get_text(asterisk, "asterisk/info"))
    assert info["config"]["max_open_files"] == child.most_files()


async def test_a_device_registers_over_udp_and_a_wrong_password_does_not(asterisk: Asterisk) -> None:
    async with await Phone.start(DEVICE.name, password=DEVICE.password, server=asterisk.sip_address) as phone:
        assert phone.registered
        assert f"sip:{DEVICE.name}@127.0.0.1:{phone.port}" in await asterisk.cli(f"pjsip show aor {DEVICE.name}")
    with pytest.raises(RegistrationRefused):
        await Phone.start(DEVICE.name, password="wrong", server=asterisk.sip_address)


async def test_a_phone_can_dial_nothing(asterisk: Asterisk) -> None:
    async with await Phone.start(DEVICE.name, password=DEVICE.password, server=asterisk.sip_address) as phone:
        call = phone.dial("100")
        await call.wait_ended()
        assert call.final_status == 404


async def test_tls_shows_the_certificate_of_this_run(asterisk: Asterisk) -> None:
    if asterisk.tls_address is None:
        assert shutil.which("openssl") is None
        return
    assert asterisk.certificate is not None
    context = ssl.create_default_context(cafile=str(asterisk.certificate))
    _, writer = await asyncio.open_connection(*asterisk.tls_address, ssl=context)
    writer.transport.abort()


async def test_a_device_added_while_it_runs_registers(asterisk: Asterisk) -> None:
    late = DeviceAccount("late", secrets.token_urlsafe(8))
    await asterisk.add_device(late, max_contacts=1)
    async with await Phone.start(late.name, password=late.password, server=asterisk.sip_address) as phone:
        assert phone.registered
    assert re.search(r"max_contacts +: 1\b", await asterisk.cli("pjsip show aor late"))


async def test_a_device_made_over_ari_registers_beside_those_of_the_file_and_outlives_a_restart(own: Asterisk) -> None:
    dynamic = "asterisk/config/dynamic/res_pjsip"
    auth = {"auth_type": "userpass", "username": "made", "password": "x"}
    assert await status_of(own, "PUT", f"{dynamic}/auth/made", auth) == 200
    assert await status_of(own, "PUT", f"{dynamic}/aor/made", {"max_contacts": "5", "remove_existing": "yes"}) == 200
    endpoint = {"aors": "made", "auth": "made", "context": "locked-phones", "allow": "!all,alaw"}
    assert await status_of(own, "PUT", f"{dynamic}/endpoint/made", endpoint) == 200
    phone = await Phone.start("made", password="x", server=own.sip_address)
    assert await status_of(own, "PUT", f"{dynamic}/endpoint/{DEVICE.name}", {"context": "x"}) == 403
    await own.restart()
    assert await status_of(own, "GET", "endpoints/PJSIP/made") == 200
    assert await status_of(own, "GET", f"endpoints/PJSIP/{DEVICE.name}") == 200
    assert f"127.0.0.1:{phone.port}" in await own.cli("pjsip show contacts")
    await phone.stop()


async def test_a_contact_outside_the_allowed_networks_is_refused(asterisk: Asterisk) -> None:
    async with await Phone.start(
        DEVICE.name, password=DEVICE.password, server=asterisk.sip_address, register=False
    ) as phone:
        phone.host = "203.0.113.9"  # goes into Via and Contact; the request still comes from here
        with pytest.raises(RegistrationRefused):
            await phone.register()
    assert "Rejecting '203.0.113.9' due to a failure to pass ACL 'phone-contacts'" in asterisk.log_path.read_text()


async def test_channels_and_bridges_are_seen(asterisk: Asterisk) -> None:
    assert await asterisk.channels() == []
    async with aiohttp.ClientSession(headers=login(asterisk)) as session:
        async with session.post(f"{asterisk.ari_url}/bridges/b1", json={"type": "mixing"}) as answer:
            assert answer.status == 200
        assert [bridge["id"] for bridge in await asterisk.bridges()] == ["b1"]
        async with session.delete(f"{asterisk.ari_url}/bridges/b1") as answer:
            assert answer.status == 204


async def test_a_console_command_that_nobody_can_run_is_an_error(own: Asterisk) -> None:
    await own.kill()
    with pytest.raises(LaboratoryError, match="console"):
        await own.cli("core show version")


@pytest.mark.parametrize("which", ["http", "sip", "sips"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_a_port_taken_at_the_last_moment_is_survived(
    installation: Installation, which: str, kind: socket.SocketKind
) -> None:
    first, second = free_ports(), free_ports()
    choices = iter((first, second))
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", getattr(first, which)))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        async with await Asterisk.start(installation, choose_ports=lambda: next(choices)) as one:
            needs_it = kind == socket.SOCK_STREAM or which == "sip"
            assert one.ports == (second if needs_it else first)


async def test_without_a_free_port_it_says_so_and_leaves_nothing(installation: Installation, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = Ports(taken.getsockname()[1], *_sip_ports(), (10000, 11999))
        with pytest.raises(LaboratoryError, match="no free ports"):
            await Asterisk.start(installation, run_dir=tmp_path / "run", choose_ports=lambda: ports)
    assert not (tmp_path / "run").exists()


async def test_an_asterisk_that_cannot_start_says_its_last_words(installation: Installation, tmp_path: Path) -> None:
    broken = Installation(
        installation.version, None, ("/bin/sh", "-c", "echo I am no Asterisk; exit 1"), tmp_path, tmp_path
    )
    with pytest.raises(LaboratoryError, match="I am no Asterisk"):
        await Asterisk.start(broken, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


async def test_two_run_side_by_side(asterisk: Asterisk, own: Asterisk) -> None:
    assert asterisk.pid != own.pid
    assert "desk" in await asterisk.cli("pjsip show endpoints")
    assert "desk" in await own.cli("pjsip show endpoints")


async def test_after_a_crash_it_comes_back_on_the_same_ports(own: Asterisk) -> None:
    ports, pid = own.ports, own.pid
    await own.kill()
    assert not alive(pid)
    await own.restart()
    assert own.ports == ports
    assert own.pid != pid
    assert await status_of(own, "GET", "asterisk/info") == 200


async def test_stop_leaves_no_process_and_no_folder(installation: Installation) -> None:
    one = await Asterisk.start(installation, [DEVICE])
    pid = one.pid
    assert alive(pid)
    begun = time.monotonic()
    await one.stop()
    await one.stop()
    assert time.monotonic() - begun < 5
    assert not alive(pid)
    assert not one.run_dir.exists()


async def test_one_that_does_not_listen_is_killed(installation: Installation) -> None:
    one = await Asterisk.start(installation)
    process = one._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    await one.stop()
    assert time.monotonic() - begun < 5
    assert not alive(process.pid)


def test_when_its_owner_is_killed_it_dies_and_the_next_start_sweeps_up() -> None:
    code = (
        "import asyncio\n"
        "from c2c_stasis.lab.asterisk import Asterisk\n"
        "from c2c_stasis.lab.obtain import obtain\n"
        "async def main():\n"
        "    async with await Asterisk.start(await obtain()) as one:\n"
        "        print(one.pid, one.run_dir, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, run_dir = owner.stdout.readline().split()
        assert alive(int(pid))
        owner.kill()
    gives_up = time.monotonic() + 2
    while alive(int(pid)):
        assert time.monotonic() < gives_up
        time.sleep(0.01)
    assert Path(run_dir).is_dir()
    sweep()
    assert not Path(run_dir).exists()


async def test_on_a_machine_that_does_not_know_its_name_it_gets_one_of_its_own(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow() -> bool:
        return True

    monkeypatch.setattr(child, "own_name_is_slow", slow)
    async with await Asterisk.start(installation) as one:
        assert alarms(one.log_path) == []
        if "/etc/hosts" not in caplog.text:  # else the kernel does not allow it, and that was said
            assert os.readlink(f"/proc/{one.pid}/ns/uts") != os.readlink("/proc/self/ns/uts")


async def test_where_it_can_have_no_name_of_its_own_that_is_said_loudly(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow() -> bool:
        return True

    def refused(name: bytes, user: int) -> None:
        raise PermissionError

    monkeypatch.setattr(child, "own_name_is_slow", slow)
    monkeypatch.setattr(child, "_take_name", refused)
    async with await Asterisk.start(installation) as one:
        assert await status_of(one, "GET", "asterisk/info") == 200
    assert "/etc/hosts" in caplog.text


def _sip_ports() -> tuple[int, int]:
    ports = free_ports()
    return ports.sip, ports.sips
