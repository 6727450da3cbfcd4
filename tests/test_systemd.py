"""What systemd is told, heard on a real socket such as it has."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from c2c_stasis import systemd

WITHIN = 20.0  # seconds; half a second is usual


@dataclass(frozen=True)
class Manager:
    """As much of systemd as a service of `Type=notify` talks to."""

    socket: socket.socket
    name: str

    def told(self) -> list[str]:
        """The lines of the next datagram."""
        return self.socket.recv(4096).decode().split("\n")


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "notify") if request.param == "file" else f"@c2c-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0", 1))
        receiver.settimeout(WITHIN)
        yield Manager(receiver, name)


@pytest.fixture
def service(manager: Manager, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`c2c-stasis serve`, started by that manager; no Asterisk answers it."""
    command = [sys.executable, "-m", "c2c_stasis"]
    options = ("--ari-password", "-", "--ari-url", "http://127.0.0.1:9", "--listen", "127.0.0.1:0")
    subprocess.run([*command, "init", *options], cwd=tmp_path, input=b"secret\n", check=True, capture_output=True)
    environment = os.environ | {"NOTIFY_SOCKET": manager.name}
    process = subprocess.Popen([*command, "serve"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def test_it_is_ready_when_it_listens_and_a_reload_then_never_ends_it(
    manager: Manager, service: subprocess.Popen[bytes]
) -> None:
    assert manager.told() == ["READY=1"]
    for _ in range(2):
        began = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        service.send_signal(signal.SIGHUP)
        reloading, since = manager.told()
        assert reloading == "RELOADING=1"
        moment = re.fullmatch(r"MONOTONIC_USEC=(\d+)", since)
        assert moment is not None
        assert began <= int(moment[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert manager.told() == ["READY=1"]
    service.terminate()
    assert manager.told() == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=8000000"]
    assert service.wait(WITHIN) == 0


def test_a_reload_of_a_wrong_configuration_is_over_too(
    manager: Manager, service: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert manager.told() == ["READY=1"]
    (tmp_path / "c2c.toml").write_text("[http]\nlisten = 1\n")
    service.send_signal(signal.SIGHUP)
    assert manager.told()[0] == "RELOADING=1"
    assert manager.told() == ["READY=1"]
    assert service.poll() is None


def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.ready()
    assert caplog.records == []


def test_a_socket_that_is_not_there_is_a_line_of_the_log_and_no_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.stopping(8.0)
    assert [record.message for record in caplog.records] == ["systemd not told"]
