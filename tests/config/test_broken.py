"""However a configuration is broken: all of it is said at once, nothing is started, and no secret is told."""

import os
import socket
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from c2c_stasis.cli import main
from c2c_stasis.cli.reporting import EX_CONFIG
from c2c_stasis.config import ConfigError, load
from tests.config.broken import BROKEN, OK, SECRET, Broken

WATCHED = ("socket.__new__", "socket.bind", "socket.connect", "sqlite3.connect")

_seen: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is None:
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if event in WATCHED or writes:
        _seen.append(f"{event} {arguments!r}")


sys.addaudithook(_watch)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[str]]:  # made before: its making opens a file, too
    """Whatever this process opens while the test runs: sockets, databases, and files to write."""
    global _seen
    _seen = []
    yield _seen
    _seen = None


@pytest.fixture(params=BROKEN, ids=lambda broken: broken.name)
def broken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broken:
    """One of them, in the working directory and the environment."""
    one: Broken = request.param
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("C2C_"):
            monkeypatch.delenv(name)
    for name, value in one.environ.items():
        monkeypatch.setenv(name, value)
    write(one)
    return one


def write(one: Broken) -> None:
    if one.text == b"":
        return  # the story of the file that is not there
    Path("c2c.toml").write_bytes(one.text.encode() if isinstance(one.text, str) else one.text)


def test_there_are_many_of_them() -> None:
    assert len({broken.name for broken in BROKEN}) == len(BROKEN) >= 50


def test_what_would_be_started_would_be_noticed(started: list[str], tmp_path: Path) -> None:
    with socket.socket(), (tmp_path / "c2c.db").open("w"):
        sqlite3.connect(tmp_path / "c2c.db").close()
    assert [line.partition(" ")[0] for line in started] == ["socket.__new__", "open", "sqlite3.connect"]


@pytest.mark.parametrize("command", ["serve", "config", "migrate"])
def test_all_is_said_nothing_is_started_and_no_secret_is_told(
    broken: Broken, command: str, started: list[str], tmp_path: Path
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    result = CliRunner().invoke(main, [command])
    assert (result.exit_code, result.stdout) == (EX_CONFIG, "")
    lines = result.stderr.splitlines()
    assert [line[: len(told)] for line, told in zip(lines, broken.told, strict=True)] == list(broken.told)
    assert all(line.count(". ") >= 1 for line in lines), "each says what to write instead"
    assert SECRET not in result.output
    assert started == []
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_error_itself_tells_no_secret_however_it_is_shown(broken: Broken) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("c2c.toml"), os.environ)
    error: BaseException | None = caught.value
    shown = "".join(traceback.format_exception(error)) if error else ""
    while error is not None:
        shown += f"{error!s} {error!r} {getattr(error, 'args', ())!r} {vars(error)!r}"
        error = error.__cause__
    assert SECRET not in shown


@pytest.mark.parametrize(
    "name", ["something wrong everywhere", "a file that is not there, and an environment that is wrong"]
)
def test_the_command_itself_ends_with_78(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = [broken for broken in BROKEN if broken.name == name]
    monkeypatch.chdir(tmp_path)
    write(one)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("C2C_")}
    command = [sys.executable, "-X", "dev", "-m", "c2c_stasis", "serve"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environ | one.environ, timeout=50)
    assert (ended.returncode, ended.stdout) == (78, "")
    assert len(ended.stderr.splitlines()) == len(one.told)
    assert SECRET not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == (["c2c.toml"] if one.text else [])


def test_what_was_read_tells_no_secret_either(tmp_path: Path) -> None:
    (tmp_path / "c2c.toml").write_text(OK)
    config = load(tmp_path / "c2c.toml", {})
    assert config.ari.password == SECRET
    assert SECRET not in f"{config!r} {config!s}"
