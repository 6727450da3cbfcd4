"""What some checks make of what they see."""

from pathlib import Path

import pytest

from c2c_stasis.config import Ari, Config, RouteRule, Trunk, Words
from c2c_stasis.doctor.advisories import ADVISORIES, Advisory, Version, affecting
from c2c_stasis.doctor.checks import descriptors
from c2c_stasis.doctor.checks.database import kind_of_disk
from c2c_stasis.doctor.checks.dial_plan import examples
from c2c_stasis.doctor.checks.trunks import covered, judged
from c2c_stasis.doctor.findings import Finding, Level
from c2c_stasis.doctor.patient import Patient
from c2c_stasis.doctor.trunk_state import ContactState, Reach, TrunkState
from c2c_stasis.lab.installation import FLOOR, FLOOR_OF_23
from c2c_stasis.lab.ports import has_ipv6

HOLE = Advisory("GHSA-x", "a hole", ((20, 18, 2), (22, 8, 2), (23, 2, 2)))


@pytest.mark.parametrize(
    ("version", "has_it"),
    [
        ((20, 18, 1), True),
        ((20, 18, 2), False),
        ((21, 99, 0), True),  # a branch that got no fix
        ((22, 8, 1), True),
        ((22, 8, 2), False),
        ((23, 2, 1), True),
        ((23, 4, 1), False),
        ((24, 0, 0), False),
        ((18, 26, 4), True),
    ],
)
def test_an_advisory_holds_for_each_branch_until_its_own_fix(version: Version, has_it: bool) -> None:
    assert HOLE.affects(version) is has_it


def test_the_floors_have_no_known_hole_and_their_predecessors_have() -> None:
    assert affecting(FLOOR) == []
    assert affecting(FLOOR_OF_23) == []
    assert {one.id for one in affecting((22, 10, 0))} == {one.id for one in affecting((23, 4, 0))}
    assert "GHSA-wcvv-g26m-wx5c" in {one.id for one in affecting((22, 10, 0))}


def test_no_advisory_is_listed_twice() -> None:
    assert len({one.id for one in ADVISORIES}) == len(ADVISORIES)


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw - nfs4 files:/srv rw
31 30 0:41 / /srv/local\\040disk rw - xfs /dev/sdb1 rw
32 22 0:42 / /over rw - nfs files:/over rw
33 32 0:43 / /over rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/c2c", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/c2c", "nfs4"),
        ("/srvice", "ext4"),
        ("/srv/local disk/c2c", "xfs"),
        ("/over/c2c", "tmpfs"),
    ],
)
def test_a_folder_is_on_the_innermost_and_last_of_the_mounts_above_it(folder: str, kind: str) -> None:
    assert kind_of_disk(Path(folder), MOUNTS) == kind


def test_numbers_are_tried_as_people_dial_them() -> None:
    british, american = examples({"GB"}), examples({"US"})

    assert {"+442079460018", "442079460018", "02079460018"} <= set(british)
    assert {"011442079460018", "9011442079460018"} <= set(american)
    assert {"12015550123", "810442079460018", "95550123", "5550123"} <= set(american)
    assert all(number.lstrip("+*").isdecimal() for number in british + american)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8088", True),
        ("http://localhost:8088", True),
        ("http://[::1]:8088", has_ipv6()),
        ("http://192.0.2.1:8088", False),
        ("http://pbx.example:8088", False),
    ],
)
def test_whether_asterisk_is_on_this_machine_shows_in_its_address(url: str, here: bool) -> None:
    assert Patient(Config(Ari("secret", url=url))).beside_asterisk is here


LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max processes             95919                95919                processes
Max open files            {soft:<20} 524288               files
"""


@pytest.mark.parametrize(
    ("config", "soft", "code"),
    [
        ({}, "1024", "descriptors_few"),
        ({}, "65536", ""),
        ({}, "unlimited", ""),
        ({"max_open_files": 2000}, "65536", "descriptors_few"),
    ],
)
async def test_without_maxfiles_the_kernel_tells_the_limit_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, int], soft: str, code: str
) -> None:
    _process(tmp_path / "7", "asterisk", soft)
    _process(tmp_path / "8", "bash", "1024")

    assert (await _files(tmp_path, monkeypatch, config)).code == code


async def test_of_two_asterisks_nobody_knows_which_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _process(tmp_path / "7", "asterisk", "1024")
    _process(tmp_path / "8", "asterisk", "1024")

    assert (await _files(tmp_path, monkeypatch, {})).level is Level.UNSEEN


def _process(folder: Path, name: str, soft: str) -> None:
    folder.mkdir()
    (folder / "comm").write_text(f"{name}\n")
    (folder / "limits").write_text(LIMITS.format(soft=soft))


async def _files(proc: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, int]) -> Finding:
    async def info(patient: Patient) -> dict[str, dict[str, int]]:
        return {"config": config}

    monkeypatch.setattr(descriptors, "PROC", proc)
    monkeypatch.setattr(Patient, "info", info)
    (finding,) = await descriptors.look(Patient(Config(Ari("secret"))))
    return finding


def route(trunks: str, numbers: str = "", accounts: str = "") -> RouteRule:
    return RouteRule(*(Words(tuple(text.split())) for text in (trunks, numbers, accounts)))


@pytest.mark.parametrize(
    ("before", "after", "never_used"),
    [
        (route("a"), route("a", "+44"), True),
        (route("a", "+44 national"), route("a", "+44", "acct_1"), True),
        (route("a", "+44", "acct_1 acct_2"), route("a", "+44", "acct_2"), True),
        (route("a", "+44"), route("a"), False),
        (route("a", "", "acct_1"), route("a"), False),
        (route("a", "+44"), route("a", "+33"), False),
        (route("a"), route("t"), False),  # for test keys
        (route("a t"), route("t"), True),
    ],
)
def test_a_route_is_never_used_when_one_before_takes_all_its_calls(
    before: RouteRule, after: RouteRule, never_used: bool
) -> None:
    trunks = [Trunk("a", "PJSIP/{number}@a"), Trunk("t", "PJSIP/{number}@t", test=True)]

    assert covered([before, after], trunks) == [(before, after)] * never_used


@pytest.mark.parametrize(
    ("reach", "qualified", "level", "words"),
    [
        (Reach.REACHABLE, True, Level.OK, "answers in 2.5 ms"),
        (Reach.UNREACHABLE, True, Level.ERROR, "sip:192.0.2.10 does not answer OPTIONS"),
        (Reach.NO_CONTACT, True, Level.ERROR, "has no address"),
        (Reach.UNKNOWN_ENDPOINT, False, Level.ERROR, "has no such endpoint"),
        (Reach.NOT_ASKED, True, Level.UNSEEN, "waits for the answer to its first OPTIONS"),
        (Reach.NOT_ASKED, False, Level.UNSEEN, "does not ask whether it is there"),
    ],
)
def test_what_the_state_of_a_trunk_means(reach: Reach, qualified: bool, level: Level, words: str) -> None:
    contacts = (ContactState("sip:192.0.2.10", "", 2.5),)

    finding = judged(TrunkState(Trunk("carrier", "PJSIP/{number}@c"), "c", reach, contacts, qualified))

    assert finding.level is level
    assert words in finding.fact
    assert finding.fact.startswith("trunk carrier (PJSIP/c)")
