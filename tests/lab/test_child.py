"""A child of the laboratory ends with its owner, may open many files, and need not look its own name up."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from c2c_stasis.lab import child


def test_a_child_may_open_as_many_files_as_the_hard_limit_allows() -> None:
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        shown = subprocess.run(
            [sys.executable, "-c", code], preexec_fn=child.preparation(rename=False), capture_output=True, check=True
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert int(shown.stdout) == child.most_files() == min(hard, child.MOST_FILES)


def test_a_child_ends_when_its_owner_is_killed() -> None:
    code = (
        "import subprocess, sys, time\n"
        "from c2c_stasis.lab import child\n"
        "one = subprocess.Popen(['sleep', '60'], preexec_fn=child.preparation(rename=False))\n"
        "print(one.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        owner.kill()
    assert ends(pid)


def test_a_child_has_a_name_that_needs_no_looking_up_where_the_kernel_allows_it() -> None:
    if kernel_allows_a_name():
        assert name_and_user_of_renamed() == ["127.0.0.1", str(os.getuid())]
    else:
        with pytest.raises(subprocess.SubprocessError):
            name_and_user_of_renamed()


@pytest.mark.parametrize("forbidden", ["unshare", "sethostname"])
def test_where_the_kernel_forbids_the_name_the_child_does_not_start(
    monkeypatch: pytest.MonkeyPatch, forbidden: str
) -> None:
    kernel = SimpleNamespace(unshare=lambda flags: 0, sethostname=lambda name, length: 0, prctl=child._libc.prctl)
    setattr(kernel, forbidden, lambda *_: -1)
    monkeypatch.setattr(child, "_libc", kernel)
    monkeypatch.setattr(os, "getuid", lambda: 0)  # without a namespace of its own there is no uid_map to write
    with pytest.raises(subprocess.SubprocessError):
        name_and_user_of_renamed()


async def test_a_name_server_that_says_nothing_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    getent = tmp_path / "getent"
    getent.write_text("#!/bin/sh\nexec sleep 60\n")
    getent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(child, "PATIENCE", 0.05)
    assert await child.own_name_is_slow()


async def test_a_name_that_is_found_or_refused_at_once_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    getent = tmp_path / "getent"
    getent.write_text("#!/bin/sh\nexit 2\n")
    getent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert not await child.own_name_is_slow()


async def test_without_getent_nothing_is_known_and_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not await child.own_name_is_slow()


def name_and_user_of_renamed() -> list[str]:
    """What a child with a name of its own says of itself."""
    shown = subprocess.run(
        [sys.executable, "-c", "import os, socket; print(socket.gethostname(), os.getuid())"],
        preexec_fn=child.preparation(rename=True),
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.split()


def kernel_allows_a_name() -> bool:
    """Whether this user may have a namespace with a name in it; asked in a process of its own."""
    flags = child.CLONE_NEWUTS if os.getuid() == 0 else child.CLONE_NEWUTS | child.CLONE_NEWUSER
    asking = f"import ctypes; c = ctypes.CDLL(None); exit(c.unshare({flags}) != 0 or c.sethostname(b'x', 1) != 0)"
    return subprocess.run([sys.executable, "-c", asking]).returncode == 0


def ends(pid: int) -> bool:
    """Wait until a process that is not our child is gone (it may stay a zombie of a lazy init)."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        os.sched_yield()
        subprocess.run(["sleep", "0.01"], check=True)
    return False
