"""Tidying up removes what is ours, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from c2c_stasis.lab.cleaning import run
from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.rundir import RunDir, living


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where laboratories have their folders; its path is short, as a socket must be in them, and not below `tmp_path`."""
    with TemporaryDirectory() as folder:
        monkeypatch.setattr("tempfile.gettempdir", lambda: folder)
        yield Path(folder)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with a fetched Asterisk."""
    folder = tmp_path / "cache"
    (folder / "asterisk-forky/usr/sbin").mkdir(parents=True)
    (folder / "asterisk-forky/usr/sbin/asterisk").write_bytes(b"x" * 3_000_000)
    (folder / "asterisk-forky.unpacking-abc").mkdir()
    (folder / "apt-forky").mkdir()
    (folder / "lock").touch()
    return folder


def clean(cache: Path) -> list[str]:
    said: list[str] = []
    run(cache, said.append)
    return said


def test_the_fetched_asterisk_goes_and_its_size_is_told(cache: Path) -> None:
    assert clean(cache) == [f"{cache}: 3 MB removed"]
    assert not cache.exists()


def test_twice_is_once(cache: Path) -> None:
    clean(cache)
    assert clean(cache) == [f"{cache}: holds nothing of ours"]


def test_in_a_folder_that_was_named_by_mistake_everything_else_stays(cache: Path) -> None:
    (cache / "thesis.odt").touch()
    (cache / "apt-link").symlink_to(cache.parent)
    clean(cache)
    assert [path.name for path in cache.iterdir()] == ["thesis.odt"]
    assert cache.parent.exists()


def test_what_a_killed_owner_left_goes_and_while_one_lives_nothing_is_removed(cache: Path, temporary: Path) -> None:
    dead = temporary / "c2c-lab-dead"
    RunDir.make(dead)._lock.close()
    alive = RunDir.make(temporary / "c2c-lab-alive")
    assert living() == [alive.path]
    said: list[str] = []
    with pytest.raises(LaboratoryError, match="c2c-lab-alive"):
        run(cache, said.append)
    assert said == [f"{dead}: removed, its owner was killed"]
    assert (cache / "asterisk-forky").is_dir()
    alive.remove()
    assert clean(cache) == [f"{cache}: 3 MB removed"]
