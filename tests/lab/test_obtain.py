"""How an Asterisk is found or fetched, told with an apt of our own making; the real one is met in tests/live."""

import asyncio
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from c2c_stasis.lab import apt, obtain
from c2c_stasis.lab.apt import Package, Target, choose_mirror, explain, version_of
from c2c_stasis.lab.errors import LaboratoryError, MirrorUnreachable
from c2c_stasis.lab.installation import Installation, installed, new_enough, parse_version, unpacked

VERSION = "22.10.1+dfsg+~cs6.17.60671434-1"
DEB = f"asterisk_1%3a{VERSION}_amd64.deb"

# An apt-get that has one package, fetches it in two halves when told to, and writes down what it was asked.
APT_GET = """#!/bin/sh
echo "$*" >> "$FAKE/asked"
case "$*" in
  *indextargets*) cat "$FAKE/targets" ;;
  *"update --print-uris"*) cat "$FAKE/uris" ;;
  *update*) if [ -e "$FAKE/refusal" ]; then cat "$FAKE/refusal" >&2; exit 100; fi ;;
  *--print-uris*) echo "'http://mirror.test/debian/a.deb' @DEB@ 8 SHA256:0" ;;
  *--download-only*)
    archives=$(sed -n 's/^Dir::Cache::Archives "\\(.*\\)";/\\1/p' "$APT_CONFIG")
    if [ -e "$FAKE/slow" ]; then printf 1234 > "$archives/partial/@DEB@"; exec sleep 60; fi
    printf 12345678 > "$archives/@DEB@" ;;
esac
"""
DPKG_DEB = """#!/bin/sh
echo "dpkg-deb $*" >> "$FAKE/asked"
mkdir -p "$3/usr/sbin" "$3/usr/lib/any-linux-gnu/asterisk/modules"
if [ -e "$FAKE/full" ]; then echo "dpkg-deb: error: No space left on device" >&2; exit 2; fi
echo loader > "$3/usr/lib/any-linux-gnu/ld-linux-any.so.2"
echo asterisk > "$3/usr/sbin/asterisk"
"""


class Fake:
    """A machine with a Debian mirror, a keyring and an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        (folder / "targets").write_text("http://mirror.test/debian/\tDebian\tbookworm\n")
        (folder / "keys.gpg").touch()
        for name, text in (("apt-get", APT_GET), ("apt-config", "#!/bin/sh\n"), ("dpkg-deb", DPKG_DEB)):
            path = folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.replace("@DEB@", DEB))
            path.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def count(self, word: str) -> int:
        return sum(word in line for line in self.asked)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    machine = Fake(tmp_path)
    monkeypatch.setenv("FAKE", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv(obtain.SWITCH, "fetch")
    monkeypatch.setattr(apt, "KEYRINGS", (str(tmp_path / "keys.gpg"),))
    return machine


def tree_with(files: dict[str, str], folder: Path) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (VERSION, (22, 10, 1)),
        ("Asterisk 23.4.1 built by x", (23, 4, 1)),
        ("22.10", (22, 10, 0)),
        ("GIT-20.5.0-rc1", (20, 5, 0)),
    ],
)
def test_a_version_is_read_as_debian_and_asterisk_write_it(text: str, numbers: tuple[int, int, int]) -> None:
    assert parse_version(text) == numbers


def test_a_version_without_numbers_is_an_error() -> None:
    with pytest.raises(LaboratoryError, match="no version"):
        parse_version("SVN-trunk")


@pytest.mark.parametrize("version", [VERSION, "22.10.1", "22.11.0", "23.4.1", "23.10.0", "24.0.0"])
def test_versions_with_the_fixes_are_new_enough(version: str) -> None:
    assert new_enough(version)


@pytest.mark.parametrize(
    "version", ["22.10.0", "22.9.3", "16.28.0~dfsg-0+deb11u4", "23.4.0", "23.0.0", "certified/23.8-cert2"]
)
def test_versions_without_them_are_not(version: str) -> None:
    assert not new_enough(version)


def test_the_mirror_is_the_one_labelled_debian_that_is_neither_security_nor_updates() -> None:
    targets = [
        Target("http://other.test/repo/", "A vendor", "stable"),
        Target("http://mirror.test/debian-security/", "Debian-Security", "bookworm-security"),
        Target("http://fast.test/debian/", "Debian", "bookworm-updates"),
        Target("http://mirror.test/debian/", "Debian", "bookworm"),
    ]
    assert choose_mirror(targets) == "http://mirror.test/debian/"


def test_without_labels_the_address_tells_which_is_debian() -> None:
    targets = [
        Target("http://other.test/repo/", "", "stable"),
        Target("http://mirror.test/debian-security/", "", "bookworm-security"),
        Target("http://mirror.test/debian/", "", "bookworm"),
    ]
    assert choose_mirror(targets) == "http://mirror.test/debian/"


def test_another_distribution_has_no_such_mirror() -> None:
    assert choose_mirror([Target("http://mirror.test/ubuntu/", "Ubuntu", "noble")]) is None


async def test_a_machine_that_never_updated_is_asked_what_it_would_fetch(fake: Fake) -> None:
    (fake.folder / "targets").write_text("")
    (fake.folder / "uris").write_text(
        "'http://mirror.test/debian-security/dists/bookworm-security/InRelease' x 0 \n"
        "'http://mirror.test/debian/dists/bookworm-updates/InRelease' x 0 \n"
        "'http://mirror.test/debian/dists/bookworm/InRelease' x 0 \n"
    )
    assert await apt.machine_mirror() == "http://mirror.test/debian/"


async def test_a_machine_without_a_debian_mirror_is_told_to_name_one(fake: Fake) -> None:
    (fake.folder / "targets").write_text("http://mirror.test/ubuntu/\tUbuntu\tnoble\n")
    with pytest.raises(LaboratoryError, match="--mirror"):
        await obtain.obtain(cache=fake.cache)


async def test_a_machine_without_apt_is_told_to_install_asterisk(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake.folder))
    with pytest.raises(LaboratoryError, match="no apt-get here"):
        await obtain.obtain(cache=fake.cache)


async def test_a_missing_keyring_is_named(fake: Fake) -> None:
    (fake.folder / "keys.gpg").unlink()
    with pytest.raises(LaboratoryError, match="apt-get install debian-archive-keyring"):
        await obtain.obtain(cache=fake.cache)


async def test_a_full_disk_is_noticed_before_anything_is_fetched(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obtain, "ROOM", 10**18)
    with pytest.raises(LaboratoryError, match="make room"):
        await obtain.obtain(cache=fake.cache)
    assert fake.asked == []


async def test_a_cache_that_cannot_be_made_is_named(fake: Fake) -> None:
    fake.cache.write_text("a file is in the way")
    with pytest.raises(LaboratoryError, match="cannot be made"):
        await obtain.obtain(cache=fake.cache)


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert obtain.default_cache() == Path("/elsewhere/c2c-stasis")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert obtain.default_cache() == Path("/home/somebody/.cache/c2c-stasis")


def test_a_user_without_a_home_is_told_to_name_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(LaboratoryError, match="XDG_CACHE_HOME"):
        obtain.default_cache()


async def test_an_unknown_wish_is_refused(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(obtain.SWITCH, "docker")
    with pytest.raises(LaboratoryError, match="fetch"):
        await obtain.obtain(cache=fake.cache)


async def test_asterisk_is_fetched_with_progress_and_then_found_in_the_cache(fake: Fake) -> None:
    told: list[str] = []
    first = await obtain.obtain(cache=fake.cache, progress=told.append)
    asked = fake.asked
    assert first.version == VERSION
    assert first.root == fake.cache / "asterisk-forky"
    assert first.command[0] == str(first.root / "usr/lib/any-linux-gnu/ld-linux-any.so.2")
    assert first.module_dir == first.root / "usr/lib/any-linux-gnu/asterisk/modules"
    assert told[0] == "reading the package list of forky"
    assert "fetching Asterisk: 0 of 0 MB" in told
    assert await obtain.obtain(cache=fake.cache) == first
    assert fake.asked == asked
    assert sorted(path.name for path in fake.cache.iterdir()) == ["asterisk-forky", "lock"]


async def test_the_mirror_that_is_named_is_used(fake: Fake) -> None:
    (fake.folder / "slow").touch()
    fetching = asyncio.create_task(obtain.obtain(cache=fake.cache, mirror="http://mine.test/debian"))
    await until(lambda: fake.count("--download-only") == 1)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    sources = (fake.cache / "apt-forky/sources.list").read_text()
    assert sources == f"deb [signed-by={fake.folder}/keys.gpg] http://mine.test/debian forky main\n"
    assert fake.count("indextargets") == 0


async def test_an_interrupted_fetch_keeps_what_it_has(fake: Fake) -> None:
    (fake.folder / "slow").touch()
    fetching = asyncio.create_task(obtain.obtain(cache=fake.cache))
    half = fake.cache / "apt-forky/archives/partial" / DEB
    await until(lambda: half.exists() and half.read_text() == "1234")
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert half.read_text() == "1234"
    (fake.folder / "slow").unlink()
    assert (await obtain.obtain(cache=fake.cache)).version == VERSION


async def test_of_several_at_once_one_fetches_and_the_others_wait(fake: Fake) -> None:
    told: list[str] = []
    found = await asyncio.gather(*(obtain.obtain(cache=fake.cache, progress=told.append) for _ in range(4)))
    assert len(set(found)) == 1
    assert fake.count("--download-only") == 1
    assert told.count("waiting for another process that is fetching Asterisk") == 3


async def test_a_tree_that_lost_a_file_is_fetched_again(fake: Fake) -> None:
    first = await obtain.obtain(cache=fake.cache)
    assert first.root is not None
    (first.root / "usr/sbin/asterisk").unlink()
    assert await obtain.obtain(cache=fake.cache) == first
    assert fake.count("--download-only") == 2
    assert obtain.is_whole(first.root)


async def test_a_failure_while_unpacking_leaves_no_tree(fake: Fake) -> None:
    (fake.folder / "full").touch()
    with pytest.raises(LaboratoryError, match="the disk is full"):
        await obtain.obtain(cache=fake.cache)
    assert not (fake.cache / "asterisk-forky").exists()
    (fake.folder / "full").unlink()
    assert (await obtain.obtain(cache=fake.cache)).version == VERSION
    assert sorted(path.name for path in fake.cache.iterdir()) == ["asterisk-forky", "lock"]


async def test_a_mirror_out_of_reach_is_not_asked_for_another_suite(fake: Fake) -> None:
    (fake.folder / "refusal").write_text("E: Failed to fetch it  Could not resolve 'mirror.test'\n")
    with pytest.raises(MirrorUnreachable, match="see that the network works"):
        await obtain.obtain(cache=fake.cache)
    assert fake.count("--error-on=any") == 1


async def test_when_no_suite_will_do_each_says_why(fake: Fake) -> None:
    (fake.folder / "refusal").write_text("E: The repository does not have a Release file.\n")
    with pytest.raises(LaboratoryError, match=r"forky: .*Release file.*; sid: .*Release file"):
        await obtain.obtain(cache=fake.cache)


async def test_too_old_a_suite_is_passed_over(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obtain, "new_enough", lambda _: False)
    with pytest.raises(LaboratoryError, match=rf"forky has Asterisk {VERSION[:7]}.*older than 22\.10\.1"):
        await obtain.obtain(cache=fake.cache)


@pytest.mark.parametrize(
    ("complaints", "advice"),
    [
        ("W: x\nE: The following signatures couldn't be verified: NO_PUBKEY 6ED0", "debian-archive-keyring"),
        ("E: You don't have enough free space in /x", "the disk is full"),
        ("E: Unable to locate package asterisk", "Unable to locate package"),
        ("", "it said nothing"),
    ],
)
def test_a_failed_command_is_told_with_what_helps(complaints: str, advice: str) -> None:
    assert advice in str(explain("apt-get", complaints))


def test_the_version_of_a_package_is_in_the_name_of_its_file() -> None:
    files = [Package("asterisk-config_1%3a9_all.deb", 1), Package(DEB, 1), Package("perl-base_5.42.3-1_amd64.deb", 1)]
    assert version_of(files, "asterisk") == VERSION
    assert version_of(files, "perl-base") == "5.42.3-1"
    assert version_of(files, "sip-tester") is None


def test_a_tree_is_whole_as_long_as_every_file_has_its_size(tmp_path: Path) -> None:
    tree = tree_with({"a": "1", "b/c": "22"}, tmp_path / "tree")
    (tree / "link").symlink_to("a")
    assert not obtain.is_whole(tree)
    obtain.write_manifest(tree, VERSION)
    assert obtain.is_whole(tree)
    (tree / "b/c").write_text("2")
    assert not obtain.is_whole(tree)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1}'])
def test_a_spoilt_manifest_is_no_proof(text: str, tmp_path: Path) -> None:
    (tmp_path / obtain.MANIFEST).write_text(text)
    assert not obtain.is_whole(tmp_path)


def test_programs_that_would_run_as_their_owner_lose_that_right(tmp_path: Path) -> None:
    program = tree_with({"usr/bin/passwd": "x"}, tmp_path) / "usr/bin/passwd"
    program.chmod(0o4755)
    obtain.write_manifest(tmp_path, VERSION)
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert json.loads((tmp_path / obtain.MANIFEST).read_text())["files"] == {"usr/bin/passwd": 1}


def test_a_tree_without_a_loader_is_no_asterisk(tmp_path: Path) -> None:
    with pytest.raises(LaboratoryError, match="holds no Asterisk"):
        unpacked(tmp_path, VERSION)


async def test_the_machines_own_asterisk_is_used_when_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = install(tmp_path / "usr", "22.11.0", monkeypatch)
    found = await obtain.obtain(cache=tmp_path / "cache")
    assert found == Installation(
        "22.11.0",
        None,
        (str(own),),
        tmp_path / "usr/lib/any-linux-gnu/asterisk/modules",
        tmp_path / "usr/share/asterisk",
    )


async def test_an_old_asterisk_of_the_machine_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "usr", "22.10.0", monkeypatch)
    assert await installed() is None


async def test_an_asterisk_without_its_modules_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "usr", "22.11.0", monkeypatch)
    (tmp_path / "usr/lib/any-linux-gnu/asterisk/modules/res_ari.so").unlink()
    assert await installed() is None


async def test_an_asterisk_that_does_not_start_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = install(tmp_path / "usr", "22.11.0", monkeypatch)
    own.write_text("#!/bin/sh\nexit 1\n")
    assert await installed() is None


def install(prefix: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "sbin/asterisk": f"#!/bin/sh\necho Asterisk {version}\n",
        "lib/any-linux-gnu/asterisk/modules/res_ari.so": "",
        "share/asterisk/rest-api/resources.json": "{}",
    }
    binary = tree_with(files, prefix) / "sbin/asterisk"
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{prefix / 'sbin'}:{os.environ['PATH']}")
    monkeypatch.setattr("c2c_stasis.lab.installation.PREFIXES", (prefix,))
    monkeypatch.delenv(obtain.SWITCH, raising=False)
    return binary


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen in time")
