"""What `doctor --security` finds: nothing in the shipped configuration, and each hole that is planted, once."""

import asyncio
import json
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis.config import Address, Config
from c2c_stasis.config.sections.network import parse_networks
from c2c_stasis.directory.sip_account import new_account
from c2c_stasis.doctor import checks
from c2c_stasis.doctor.advisories import Advisory
from c2c_stasis.doctor.checks import version
from c2c_stasis.doctor.examination import Report, examine
from c2c_stasis.doctor.findings import Level, Status
from c2c_stasis.doctor.patient import Patient
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.deployment import DISCARD
from tests.live.clinic import CALLER, DESK, MORE_USERS, PASSWORD, READER, TRUNK, Clinic, commanded, pretending
from tests.live.test_asterisk import alarms
from tests.live.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

NOBODY = ("127.0.0.1", DISCARD)  # a carrier that is not there
OPEN = """
[open]
exten => _00X.,1,Dial(PJSIP/${EXTEN}@carrier)
"""
ANONYMOUS = """
[anonymous](phone)
"""
MANAGER = f"""
[console]
secret = {secrets.token_urlsafe()}
read = all
write = system,originate
"""
# The laboratory has no user of Asterisk's own: who runs the tests runs it.
AS_ROOT = ["asterisk_is_root"] if os.geteuid() == 0 else []


def without_strangers(clinic: Clinic) -> None:
    """Take out the ARI users that only tests have."""
    clinic.change("ari.conf", re.escape(MORE_USERS), "")


def etc(clinic: Clinic) -> Path:
    """Where this Asterisk has its files."""
    return clinic.asterisk.run_dir / "etc"


async def security_of(clinic: Clinic, config: Config | None = None, **surroundings: Any) -> Report:
    """What the doctor says, having been told where the files are."""
    async with Patient(config or clinic.config, **{"asterisk_etc": etc(clinic), **surroundings}) as patient:
        return await examine(patient, every=checks.SECURITY)


async def invited(clinic: Clinic, source: str, name: str) -> str:
    """What Asterisk answers to a call from another address of this machine, by somebody of that name."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        stranger.bind((source, 0))
        host, port = stranger.getsockname()
        call = secrets.token_hex(8)
        lines = (
            f"INVITE sip:{CALLER}@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call}",
            "Max-Forwards: 70",
            f"From: <sip:{name}@stranger.example>;tag={call}",
            f"To: <sip:{CALLER}@127.0.0.1>",
            f"Call-ID: {call}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:{name}@{host}:{port}>",
            "Content-Length: 0",
        )
        await loop.sock_sendto(stranger, "\r\n".join((*lines, "", "")).encode(), clinic.asterisk.sip_address)
        async with asyncio.timeout(10):
            while (status := (await loop.sock_recv(stranger, 4096)).decode().splitlines()[0]).endswith("Trying"):
                pass
        return status


# --- as it is shipped ---


@pytest.fixture(scope="module")
async def shipped(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    """The files of asterisk/etc, with two phones."""
    async with Clinic.open(tmp_path_factory.mktemp("shipped"), NOBODY, without_strangers) as clinic:
        yield clinic


async def test_the_shipped_configuration_passes_every_check(shipped: Clinic) -> None:
    report = await security_of(shipped)

    assert report.codes == AS_ROOT, report
    unseen = [
        (check, finding.fact) for check, finding in report.findings if finding.level not in (Level.OK, Level.ERROR)
    ]
    assert [check for check, _ in unseen] == ([] if AS_ROOT else [check for check, _ in unseen if check == "own user"])
    assert len(report.findings) == len(checks.SECURITY) + 1


async def test_without_asterisks_files_nothing_that_stands_only_there_is_called_well(
    shipped: Clinic, tmp_path: Path
) -> None:
    report = await security_of(shipped, asterisk_etc=tmp_path)

    assert report.codes == []
    unseen = {check for check, finding in report.findings if finding.level is Level.UNSEEN}
    assert unseen >= {"asterisk's files", "ari users", "strangers", "contacts", "secret files"}
    # What Asterisk's own reader tells is seen all the same.
    for check in ("ari address", "ari origins", "functions", "manager"):
        assert [finding.level for finding in report.of(check)] == [Level.OK]


async def test_the_doctor_raises_no_alarm_in_asterisks_log(shipped: Clinic, tmp_path: Path) -> None:
    before = alarms(shipped.asterisk.log_path)

    await security_of(shipped)
    await security_of(shipped, asterisk_etc=tmp_path)

    assert alarms(shipped.asterisk.log_path) == before


async def test_files_of_an_asterisk_elsewhere_are_not_looked_for_here(shipped: Clinic) -> None:
    elsewhere = shipped.with_ari(url="http://pbx.example:8088")

    report = await security_of(shipped, elsewhere, asterisk_etc=None)

    (finding,) = report.of("asterisk's files")
    assert (finding.level, finding.fact) == (Level.UNSEEN, "Asterisk's files are not on this machine")
    assert "--asterisk-etc" in finding.fix


async def test_a_folder_that_this_asterisk_does_not_read(shipped: Clinic, tmp_path: Path) -> None:
    for file in etc(shipped).glob("*.conf"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "http.conf").write_text("[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = 8088\n")

    report = await security_of(shipped, asterisk_etc=tmp_path)

    assert "asterisk_etc_other" in report.codes
    assert "http.conf has bindport = 8088" in report.of("asterisk's files")[0].fact


@pytest.mark.parametrize("missing", ["http.conf", "manager.conf"])
async def test_a_folder_in_which_a_file_is_missing(spoiled: Clinic, tmp_path: Path, missing: str) -> None:
    """A copy for a doctor elsewhere, for one: where a file is not there, nothing that stands in it is called well."""
    for file in etc(spoiled).glob("*.conf"):
        if file.name != missing:
            (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "manager.d").mkdir()

    report = await security_of(spoiled, asterisk_etc=tmp_path)

    assert "asterisk_etc_other" in report.codes, report.of("asterisk's files")
    assert f"{missing} has " in report.of("asterisk's files")[0].fact


async def test_the_command_says_it_for_people_and_for_programs(shipped: Clinic, tmp_path: Path) -> None:
    ignored = [part for code in AS_ROOT for part in ("--ignore", code)]
    arguments = ("doctor", "--security", "--asterisk-etc", str(etc(shipped)), *ignored)

    status, text = await commanded(*arguments, config=shipped.config, folder=tmp_path)
    _, told = await commanded(*arguments, "--json", config=shipped.config, folder=tmp_path)

    assert status == 0, text
    assert "no endpoint takes calls from strangers" in text
    assert {finding["code"] for finding in json.loads(told)["findings"]} == {None}
    assert shipped.config.ari.password not in text + told


async def test_a_stranger_who_takes_the_carriers_name_is_asked_for_a_password(shipped: Clinic) -> None:
    assert await invited(shipped, "127.0.0.2", TRUNK.name) == "SIP/2.0 401 Unauthorized"


# --- one hole at a time ---


async def test_where_a_name_is_enough_the_stranger_is_the_carrier(shipped: Clinic) -> None:
    text = (etc(shipped) / "pjsip.conf").read_text()
    shipped.change("pjsip.conf", r"(?m)^identify_by = ip.*", "")
    try:
        await shipped.asterisk.cli("module reload res_pjsip.so")
        report = await eventually(lambda: security_of(shipped), lambda said: said.codes != AS_ROOT, "the reload")
        answer = await invited(shipped, "127.0.0.2", TRUNK.name)
    finally:
        (etc(shipped) / "pjsip.conf").write_text(text)
        await shipped.asterisk.cli("module reload res_pjsip.so")
        await eventually(lambda: security_of(shipped), lambda said: said.codes == AS_ROOT, "the reload")

    assert answer == "SIP/2.0 404 Not Found"  # taken for the carrier, whose context is empty
    assert report.codes == ["endpoint_by_name", *AS_ROOT]


@pytest.mark.parametrize("release", [b"22.10.0", b"21.12.3"])
async def test_a_version_with_advisories(shipped: Clinic, release: bytes) -> None:
    async with pretending(shipped.config.ari.url, b"22.10.1", release) as url:
        report = await security_of(shipped, shipped.with_ari(url=url))

    assert [finding.code for finding in report.of("version")] == ["version_too_old"]


async def test_a_version_that_works_and_has_an_advisory(shipped: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    hole = Advisory("GHSA-0000", "a hole of tomorrow", ((22, 10, 2),))
    monkeypatch.setattr(version, "affecting", lambda asked: [hole] if hole.affects(asked) else [])

    report = await security_of(shipped)

    assert [finding.code for finding in report.of("version")] == ["version_advisories"]


async def test_the_services_own_api_over_plain_http(shipped: Clinic) -> None:
    open_to_others = replace(shipped.config, http=replace(shipped.config.http, listen=Address("0.0.0.0", 8080)))

    assert (await security_of(shipped, open_to_others)).codes == [*AS_ROOT, "api_plain_http"]


async def test_a_service_that_believes_everybody_and_calls_anywhere(shipped: Clinic) -> None:
    http = replace(shipped.config.http, trusted_proxies=parse_networks("0.0.0.0/0, ::/0"))
    webhooks = replace(shipped.config.webhooks, allow_subnets=parse_networks("169.254.0.0/16"))

    report = await security_of(shipped, replace(shipped.config, http=http, webhooks=webhooks))

    assert report.codes == [*AS_ROOT, "proxies_everybody", "webhooks_anywhere"]


async def test_a_configuration_that_everybody_can_read(shipped: Clinic, tmp_path: Path) -> None:
    file = Path("/tmp") / f"c2c-{secrets.token_hex(8)}.toml"  # in a folder that is open to all
    file.write_text("")
    try:
        file.chmod(0o644)
        readable = await security_of(shipped, config_file=file)
        file.chmod(0o640)
        closed = await security_of(shipped, config_file=file)
    finally:
        file.unlink()

    assert readable.codes == [*AS_ROOT, "secret_readable"]
    assert str(file) in readable.of("secret files")[0].fact
    assert closed.codes == AS_ROOT


# --- written otherwise ---


def spoil_in_capitals(clinic: Clinic) -> None:
    """Holes whose names begin with capital letters, which Asterisk does not mind."""
    reader = f"\n[{READER}]\nType = user\nRead_Only = Yes\nPassword = {secrets.token_urlsafe()}\n"
    clinic.change("ari.conf", re.escape(MORE_USERS), reader)
    clinic.change(
        "manager.conf", r"(?ms)^\[general\].*", "[General]\nEnabled = Yes\nBindAddr = 127.0.0.1\nPort = 0\n" + MANAGER
    )
    clinic.change("asterisk.conf", r"(?m)^live_dangerously = no", "Live_Dangerously = Yes")
    clinic.change("pjsip.conf", r"(?m)^match = .*", r"\g<0>\nMatch = 0.0.0.0/1, 128.0.0.0/1")


async def test_holes_are_found_however_they_are_written(tmp_path: Path) -> None:
    async with Clinic.open(tmp_path, NOBODY, spoil_in_capitals) as clinic:
        manager, users = [await clinic.asterisk.cli(line) for line in ("manager show settings", "ari show users")]
        known = await clinic.asterisk.cli("pjsip show identifies")
        report = await security_of(clinic)

    # Asterisk has taken them for what they are.
    assert re.search(r"Manager \(AMI\): +Yes", manager)
    assert re.search(rf"Yes +\w+ +{READER}", users)
    assert "Match: 128.0.0.0/1" in known
    holes = ["ari_reader", "live_dangerously", "manager_originate", "endpoint_anonymous"]
    assert report.codes == [*holes, *AS_ROOT]


# --- everything spoiled ---

SPOILED = {
    "ari address": ["ari_public", "ari_plain_http"],
    "ari users": ["ari_reader"],
    "ari origins": ["ari_any_origin"],
    "functions": ["live_dangerously"],
    "manager": ["manager_originate"],
    "doors": ["module_door"],
    "strangers": ["endpoint_anonymous", "endpoint_by_name", "endpoint_anonymous"],
    "sip accounts": ["device_without_password", "device_guessable"],
    "contacts": ["contact_acl_missing", "contact_acl_missing"],
    "redirects": ["redirect_followed"],
    "dial plan": ["context_dials_out", "transfer_dials_out"],
    "own user": AS_ROOT,
    "secret files": ["secret_readable"],
    "security log": ["security_unlogged"],
}
NUMBERED = DeviceAccount("1001", secrets.token_urlsafe())


def spoil(clinic: Clinic) -> None:
    """Plant every hole; the passwords are made up, for this Asterisk can be reached by others while it runs."""
    clinic.change("ari.conf", rf"password = {PASSWORD}\n(?=\n\[)", f"password = {secrets.token_urlsafe()}\n")
    clinic.change("ari.conf", rf"password = {PASSWORD}\n(?=deny)", f"password = {secrets.token_urlsafe()}\n")
    clinic.change("ari.conf", r"(?m)^deny = .*", "")
    clinic.change("ari.conf", r"(?m)^allowed_origins =.*", "allowed_origins = *")
    clinic.change("http.conf", r"(?m)^bindaddr = .*", "bindaddr = 0.0.0.0")
    clinic.change("http.conf", r"(?ms)^\[/ari\].*", "")
    clinic.change("asterisk.conf", r"(?m)^live_dangerously = no", "live_dangerously = yes")
    clinic.change("manager.conf", r"(?m)^enabled = no", "enabled = yes\nbindaddr = 127.0.0.1\nport = 0")
    clinic.change("manager.conf", r"\Z", "#include manager.d/*.conf\n")
    (etc(clinic) / "manager.d").mkdir()
    (etc(clinic) / "manager.d/console.conf").write_text(MANAGER)
    clinic.change("modules.conf", r"\Z", "load = res_http_post.so\nload = res_pjsip_endpoint_identifier_anonymous.so\n")
    clinic.change("logger.conf", r"(?m)^security\.log.*", "")
    clinic.change("extensions.conf", r"\Z", OPEN)
    clinic.change("acl.conf", r"\Z", "permit = 0.0.0.0/0\n")  # of its one section, phone-contacts
    clinic.change("pjsip.conf", r"\Z", ANONYMOUS)
    clinic.change("pjsip.conf", r"(?m)^identify_by = ip", "identify_by = username,ip")
    clinic.change("pjsip.conf", r"(?m)^match = .*", r"\g<0>,0.0.0.0/0")
    clinic.change(
        "pjsip-devices.conf",
        rf"\[{DESK.name}\]\(phone\)\n",
        r"\g<0>redirect_method = uri_pjsip\ncontext = open\nallow_transfer = yes\n",
    )
    clinic.change("pjsip-devices.conf", r"\Z", f"[{NUMBERED.name}](leg)\ncontext = locked-phones\n")
    (etc(clinic) / "pjsip-devices.conf").chmod(0o644)
    clinic.asterisk.run_dir.chmod(0o755)


@pytest.fixture(scope="module")
async def spoiled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    """An Asterisk with all of these holes."""
    async with Clinic.open(tmp_path_factory.mktemp("spoiled"), NOBODY, spoil) as clinic:
        phones = await clinic.directory(
            clinic.folder / "phones.db", [DESK.name, NUMBERED.name], phone=new_account("c2c-x")
        )
        clinic.config = replace(clinic.config, database=phones)
        yield clinic


@pytest.fixture(scope="module")
async def report(spoiled: Clinic) -> Report:
    """What the doctor says of it."""
    return await security_of(spoiled)


@pytest.mark.parametrize(("check", "codes"), SPOILED.items())
async def test_each_planted_hole_is_named(report: Report, check: str, codes: list[str]) -> None:
    assert [finding.code for finding in report.of(check) if finding.code] == codes


async def test_nothing_else_is_named(report: Report) -> None:
    assert report.codes == [code for codes in SPOILED.values() for code in codes]
    assert report.status is Status.CONFIG
    assert all(finding.fix for _, finding in report.findings if finding.code)


async def test_the_facts_name_what_was_planted(report: Report) -> None:
    facts = {check: "; ".join(finding.fact for finding in report.of(check)) for check in SPOILED}

    assert "http://0.0.0.0" in facts["ari address"]
    assert facts["ari users"] == f"read-only in ari.conf: {READER}"
    assert facts["manager"] == "console may originate, system"
    assert "res_http_post.so" in facts["doors"]
    assert "endpoint anonymous is there, and strangers are given it" in facts["strangers"]
    assert "known by name: carrier" in facts["strangers"]
    assert "gives endpoint carrier to every address" in facts["strangers"]
    assert facts["sip accounts"] == f"without a password: {NUMBERED.name}; numbers for names: {NUMBERED.name}"
    assert f"no contact_acl: {NUMBERED.name}" in facts["contacts"]
    assert "the list phone-contacts lets in the whole internet" in facts["contacts"]
    assert facts["redirects"] == f"redirect_method is not user: {DESK.name}"
    assert facts["dial plan"].count(f": {DESK.name}") == 2
    assert facts["dial plan"].endswith("it waits only for res_pjsip_refer.so")  # which is not loaded here either
    assert "pjsip-devices.conf" in facts["secret files"]


async def test_a_manager_interface_without_rights_to_dial_is_a_lesser_fault(spoiled: Clinic) -> None:
    console = etc(spoiled) / "manager.d/console.conf"
    console.write_text(MANAGER.replace("system,originate", "reporting"))
    try:
        report = await security_of(spoiled)
    finally:
        console.write_text(MANAGER)

    assert [finding.code for finding in report.of("manager")] == ["manager_enabled"]


async def test_without_the_files_an_open_asterisk_is_not_called_well(spoiled: Clinic, tmp_path: Path) -> None:
    report = await security_of(spoiled, asterisk_etc=tmp_path)

    assert {check: [finding.level for finding in report.of(check)] for check in ("ari address", "ari users")} == {
        "ari address": [Level.UNSEEN],
        "ari users": [Level.UNSEEN],
    }
    assert {"live_dangerously", "manager_enabled", "redirect_followed", "context_dials_out"} <= set(report.codes)
