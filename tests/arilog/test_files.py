"""The files of the ARI log: readable by the service alone, never more than there may be, whole lines only."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis.arilog.files import LONGEST, MOST_FILES, Files, log_files

HEAD = b'{"kind":"log"}\n'
MOST = 20 * LONGEST  # bytes
LINE = b'{"kind":"event","text":"' + b"x" * 9_974 + b'"}\n'  # 10 kB


def begin(folder: Path, app: str = "c2c") -> Files:
    return Files(folder, app, MOST, lambda: HEAD)


def write(files: Files, lines: int) -> None:
    for _ in range(lines):
        files.make_ready()
        files.write(LINE)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_only_the_service_may_read_it(tmp_path: Path) -> None:
    files = begin(tmp_path / "deep" / "ari")
    write(files, 1)
    (path,) = log_files(tmp_path / "deep" / "ari")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_bytes() == HEAD + LINE


def test_each_start_begins_a_file(tmp_path: Path) -> None:
    for _ in range(3):
        files = begin(tmp_path)
        write(files, 1)
        files.close()
    assert [path.read_bytes() for path in log_files(tmp_path)] == [HEAD + LINE] * 3


def test_it_never_grows_beyond_its_bound_and_the_oldest_go_first(tmp_path: Path) -> None:
    files = begin(tmp_path)
    write(files, 1)
    (first,) = log_files(tmp_path)
    biggest = 0
    for _ in range(300):  # 3 MB, twice what may be there
        write(files, 1)
        biggest = max(biggest, size(tmp_path))
    assert MOST - 2 * files.full_at < biggest <= MOST
    assert not first.exists()
    assert all(path.read_bytes().startswith(HEAD) and path.read_bytes().endswith(LINE) for path in log_files(tmp_path))


def test_a_service_that_starts_again_and_again_leaves_a_bounded_number_of_files(tmp_path: Path) -> None:
    for _ in range(MOST_FILES + 5):
        files = begin(tmp_path)
        files.make_ready()
        files.close()
    assert len(log_files(tmp_path)) == MOST_FILES


def test_what_belongs_to_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "c2c-notes.jsonl").write_text("mine")
    other = begin(tmp_path, "other")
    write(other, 1)
    write(begin(tmp_path), 300)
    assert (tmp_path / "c2c-notes.jsonl").read_text() == "mine"
    assert len(log_files(tmp_path, "other")) == 1


def fails_after(bytes_left: int, error: int = errno.ENOSPC) -> Callable[..., Any]:
    """A disk that takes so many bytes more."""
    real, left = os.write, bytes_left

    def write(file: int, data: Any) -> int:
        nonlocal left
        taken = real(file, bytes(data)[:left]) if left else 0
        left -= taken
        if not taken:
            raise OSError(error, os.strerror(error))
        return taken

    return write


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = begin(tmp_path)
    write(files, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fails_after(5_000))
        with pytest.raises(OSError, match="No space"):
            files.write(LINE)
    write(files, 1)
    (path,) = log_files(tmp_path)
    assert path.read_bytes() == HEAD + LINE + LINE


def test_a_disk_that_is_full_at_the_start_is_left_without_an_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = begin(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fails_after(0))
        with pytest.raises(OSError, match="No space"):
            files.make_ready()
    assert log_files(tmp_path) == []
    write(files, 1)
    assert len(log_files(tmp_path)) == 1


def test_a_link_that_somebody_laid_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    name = f"c2c-20231114T221320.000-{os.getpid()}.jsonl"
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    write(begin(tmp_path), 1)
    assert not (tmp_path / "elsewhere").exists()
    assert [path.is_symlink() for path in log_files(tmp_path)] == [True, False]
