"""An Asterisk in which everything is spoiled that its own files can spoil: each fault is named, once, and nothing else."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from c2c_stasis.config import Config, Sip
from c2c_stasis.directory.sip_account import new_account
from c2c_stasis.doctor.examination import Report
from c2c_stasis.doctor.findings import Status
from c2c_stasis.lab.deployment import DISCARD
from tests.live.clinic import DESK, MOBILE, TRUNK, Clinic, commanded
from tests.live.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

OPEN = """
[international]
exten => _00X.,1,NoOp(nobody is dialled)
[open]
include => international
"""
REGISTRATION = """
[carrier]
type = registration
server_uri = sip:127.0.0.1:9
client_uri = sip:acme@127.0.0.1
"""
SPOILED = {
    "modules": "module_missing",
    "tones": "indications_missing",
    "files": "descriptors_few",
    "http sessions": "sessions_few",
    "event stream": "write_timeout_short",
    "trunks": "trunk_unreachable",
    "emergency calls": "emergency_trunk_none",
    "devices": "devices_offline",
    "provisioning": "provisioning_refused",
    "redirects": "redirect_followed",
    "dial plan": "context_dials_out",
}


def spoil(clinic: Clinic) -> None:
    """Plant one fault for each of these checks."""
    clinic.change("modules.conf", r"(?m)^load = res_pjsip_rfc3326\.so.*\n", "")
    clinic.change("indications.conf", r"(?s)\n\[at\].*", "\n")
    clinic.change("asterisk.conf", r"(?m)^maxfiles = \d+", "maxfiles = 1024")
    clinic.change("http.conf", r"(?m)^sessionlimit = 512", "")  # the default then: 100
    clinic.change("ari.conf", r"(?m)^websocket_write_timeout = 5000", "")  # the default then: 100 ms
    clinic.change("extensions.conf", r"\Z", OPEN)
    clinic.change("pjsip-devices.conf", r"\Z", REGISTRATION)
    clinic.change("sorcery.conf", r"(?s)\[res_pjsip\].*", "")
    clinic.change(
        "pjsip-devices.conf", rf"\[{DESK.name}\]\(phone\)\n", r"\g<0>redirect_method = uri_pjsip\ncontext = open\n"
    )


@pytest.fixture(scope="module")
async def spoiled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    """An Asterisk with all of them, and nobody registered; its carrier's port is one on which nobody listens."""
    async with Clinic.open(tmp_path_factory.mktemp("spoiled"), ("127.0.0.1", DISCARD), spoil) as clinic:
        phones = await clinic.directory(
            clinic.folder / "phones.db", [DESK.name, MOBILE.name], phone=new_account("c2c-x")
        )
        clinic.config = replace(clinic.config, trunks=(TRUNK,), database=phones, sip=Sip(domain="pbx.example.com"))
        yield clinic


@pytest.fixture(scope="module")
async def report(spoiled: Clinic) -> Report:
    """What the doctor says of it, as soon as Asterisk has given the carrier up."""
    return await eventually(spoiled.examined, lambda said: "trunk_unreachable" in said.codes, "the carrier's silence")


@pytest.fixture(autouse=True, scope="module")
def own_name() -> None:
    """A machine that knows its own name."""
    patch = pytest.MonkeyPatch()
    patch.setattr(socket, "gethostname", lambda: "127.0.0.1")


@pytest.mark.parametrize(("check", "code"), SPOILED.items())
async def test_each_planted_fault_is_named_once_by_its_code(report: Report, check: str, code: str) -> None:
    assert [finding.code for finding in report.of(check)] == [code]


async def test_nothing_else_is_named(report: Report) -> None:
    assert report.codes == list(SPOILED.values())
    assert report.status is Status.CONFIG


async def test_the_facts_name_what_was_planted(report: Report) -> None:
    facts = {check: report.of(check)[0].fact for check in SPOILED}

    assert "res_pjsip_rfc3326.so" in facts["modules"]
    assert "1024 files: enough for about 102 calls" in facts["files"]
    assert "100 HTTP connections" in facts["http sessions"]
    assert "100 ms" in facts["event stream"]
    assert f"127.0.0.1:{DISCARD} does not answer" in facts["trunks"]
    assert facts["provisioning"] == "Asterisk refuses auth and aor and endpoint"
    assert "desk has redirect_method = uri_pjsip" in facts["redirects"]
    assert "context open (1 devices, desk among them) takes 00" in facts["dial plan"]


async def test_trunks_check_tells_of_a_silent_carrier_and_where_asterisk_registers(
    spoiled: Clinic, report: Report, tmp_path: Path
) -> None:
    status, text = await commanded("trunks", "check", config=spoiled.config, folder=tmp_path)

    assert status == Status.UNAVAILABLE
    assert f"carrier  unreachable  {report.of('trunks')[0].fact}" in text
    assert f"  sip:127.0.0.1:{DISCARD}  Unreachable\n" in text
    assert "registers at sip:127.0.0.1:9 as sip:acme@127.0.0.1" in text


async def test_an_asterisk_that_stands_still_is_unreachable(spoiled: Clinic) -> None:
    assert spoiled.asterisk.pid is not None
    hasty: Config = spoiled.with_ari(request_timeout=0.3)
    os.kill(spoiled.asterisk.pid, signal.SIGSTOP)
    try:
        said = await spoiled.examined(replace(hasty))
    finally:
        os.kill(spoiled.asterisk.pid, signal.SIGCONT)

    assert said.codes == ["ari_unreachable", "emergency_trunk_none"]
