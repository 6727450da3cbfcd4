"""A child of the laboratory ends with its owner, may open many files, and need not look its own name up."""

import os
import resource
import subprocess
import sys
from pathlib import Path

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


def test_a_child_can_have_a_name_that_needs_no_looking_up() -> None:
    try:
        shown = subprocess.run(
            [sys.executable, "-c", "import os, socket; print(socket.gethostname(), os.getuid())"],
            preexec_fn=child.preparation(rename=True),
            capture_output=True,
            text=True,
            check=True,
        )
    except subprocess.SubprocessError:
        pytest.skip("the kernel does not let this user give a child a name of its own")
    assert shown.stdout.split() == ["127.0.0.1", str(os.getuid())]


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
