"""The folder of one Asterisk: nobody else's, short enough, and swept when its owner is gone."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.rundir import LONGEST, PREFIX, RunDir, sweep


def leave_behind(parent: Path) -> Path:
    """What a process leaves that made a folder and was killed."""
    path = parent / f"{PREFIX}left"
    code = f"from pathlib import Path\nfrom c2c_stasis.lab.rundir import RunDir\nRunDir.make(Path({str(path)!r}))\n"
    subprocess.run([sys.executable, "-c", code], check=True)
    return path


@contextlib.contextmanager
def sleeper(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process with these arguments, up and running."""
    code = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_folder_has_all_that_asterisk_needs_and_goes_whole() -> None:
    run_dir = RunDir.make()
    assert {"etc", "log", "run", "spool", "var"} <= {path.name for path in run_dir.path.iterdir()}
    run_dir.remove()
    run_dir.remove()
    assert not run_dir.path.exists()


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(LaboratoryError, match="not empty"):
        RunDir.make(tmp_path)


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ("x" * LONGEST)
    with pytest.raises(LaboratoryError, match="too long"):
        RunDir.make(path)
    assert not path.exists()


def test_the_folder_of_a_dead_owner_is_swept(tmp_path: Path) -> None:
    path = leave_behind(tmp_path)
    assert path.is_dir()
    assert sweep(tmp_path) == [path]
    assert not path.exists()


def test_the_folder_of_a_living_owner_is_not(tmp_path: Path) -> None:
    run_dir = RunDir.make(tmp_path / f"{PREFIX}mine")
    assert sweep(tmp_path) == []
    assert run_dir.path.is_dir()
    run_dir.remove()


def test_what_only_looks_like_ours_is_not(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}empty").mkdir()
    (tmp_path / f"{PREFIX}file").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / f"{PREFIX}empty")
    assert sweep(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 3


def test_an_asterisk_that_outlived_its_owner_is_ended(tmp_path: Path) -> None:
    path = leave_behind(tmp_path)
    with sleeper(str(path)) as survivor:
        (path / "run/asterisk.pid").write_text(str(survivor.pid))
        assert sweep(tmp_path) == [path]
        assert survivor.wait(5) == -9


def test_another_process_with_its_number_is_left_alone(tmp_path: Path) -> None:
    path = leave_behind(tmp_path)
    with sleeper() as stranger:
        (path / "run/asterisk.pid").write_text(str(stranger.pid))
        assert sweep(tmp_path) == [path]
        assert stranger.poll() is None
