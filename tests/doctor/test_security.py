"""What the checks of `doctor --security` make of files, rights and processes."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from c2c_stasis.cli import main
from c2c_stasis.cli.doctor import _NAME
from c2c_stasis.config import Ari, Config, Http, Webhooks
from c2c_stasis.config.sections.network import parse_networks
from c2c_stasis.doctor import checks
from c2c_stasis.doctor.checks import ari_address, believed, manager, own_user, secret_files, security_log, strangers
from c2c_stasis.doctor.findings import Level
from c2c_stasis.doctor.patient import Patient

OPEN_ARI = "[general]\nenabled = yes\n[c2c-stasis]\ntype = user\n"
HERE_ONLY = "type = restriction\ndeny = 0.0.0.0/0\ndeny = ::/0\npermit = 127.0.0.1\n"


def patient(etc: Path, url: str = "http://127.0.0.1:8088", **files: str) -> Patient:
    """An installation whose Asterisk has these files."""
    for name, text in {"asterisk": "", "ari": OPEN_ARI, **files}.items():
        (etc / f"{name}.conf").write_text(text)
    return Patient(Config(Ari("secret", url=url)), asterisk_etc=etc)


@pytest.mark.parametrize(
    ("general", "rest", "codes"),
    [
        ("bindaddr = 127.0.0.1", "", []),
        ("", "", []),  # without an address Asterisk serves nothing (22.10.1)
        ("bindaddr = 0.0.0.0", "", ["ari_public", "ari_plain_http"]),
        ("bindaddr = ::", "", ["ari_public", "ari_plain_http"]),
        ("bindaddr = 203.0.113.7", "", ["ari_public", "ari_plain_http"]),
        ("bindaddr = 10.0.0.1", "", ["ari_plain_http"]),
        ("bindaddr = 0.0.0.0", f"[/ari]\n{HERE_ONLY}", []),
        ("bindaddr = 0.0.0.0", f"[/]\n{HERE_ONLY}", []),
        ("bindaddr = 0.0.0.0", f"[/ari/channels]\n{HERE_ONLY}", ["ari_public", "ari_plain_http"]),
        ("bindaddr = 0.0.0.0", f"[/ws]\n{HERE_ONLY}", ["ari_public", "ari_plain_http"]),
        ("bindaddr = 0.0.0.0", f"[/ari]\n{HERE_ONLY}permit = 10.0.0.0/8\n", ["ari_plain_http"]),
        ("bindaddr = 0.0.0.0", f"[/ari]\n{HERE_ONLY}permit = 203.0.113.7/32\n", ["ari_plain_http"]),
        ("bindaddr = 127.0.0.1\ntlsenable = yes\ntlsbindaddr = 0.0.0.0:8089", "", ["ari_public"]),
        ("bindaddr = 127.0.0.1\ntlsenable = yes\ntlsbindaddr = [::]:8089", "", ["ari_public"]),
        ("bindaddr = 127.0.0.1\ntlsenable = yes", "", []),
        ("bindaddr = 127.0.0.1\ntlsenable = no\ntlsbindaddr = 0.0.0.0:8089", "", []),
        (
            "bindaddr = 127.0.0.1\ntlsenable = yes\ntlsbindaddr = 0.0.0.0",
            f"[/ari]\n{HERE_ONLY}permit = 203.0.113.7\n",
            [],
        ),
    ],
)
async def test_who_can_come_to_ari(tmp_path: Path, general: str, rest: str, codes: list[str]) -> None:
    sick = patient(tmp_path, http=f"[general]\nenabled = yes\n{general}\n{rest}")

    assert [finding.code for finding in await ari_address.look(sick) if finding.code] == codes


async def test_access_lists_of_every_ari_user_limit_who_comes(tmp_path: Path) -> None:
    http = "[general]\nbindaddr = 0.0.0.0\n"
    limited = patient(tmp_path, http=http, ari=f"{OPEN_ARI}deny = 0.0.0.0/0\ndeny = ::/0\npermit = 127.0.0.1\n")
    assert [finding.level for finding in await ari_address.look(limited)] == [Level.OK]

    one_is_not = patient(tmp_path, http=http, ari=f"{OPEN_ARI}deny = 0.0.0.0/0\ndeny = ::/0\n[b]\ntype = user\n")
    assert [finding.code for finding in await ari_address.look(one_is_not)] == ["ari_public", "ari_plain_http"]


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("http://192.0.2.1:8088", ["ari_plain_http"]),
        ("http://asterisk:8088", ["ari_plain_http"]),
        ("https://asterisk:8089", [""]),
        ("http://localhost:8088", [""]),
        ("http://[::1]:8088", [""]),
    ],
)
async def test_our_own_way_to_ari(tmp_path: Path, url: str, codes: list[str]) -> None:
    sick = patient(tmp_path, url, http="[general]\nbindaddr = 127.0.0.1\n")

    assert [finding.code for finding in await ari_address.look(sick)] == codes


def test_a_folder_of_files_without_the_question_is_a_mistake_that_is_said(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["doctor", "--asterisk-etc", str(tmp_path)])

    assert said.exit_code == 2
    assert "with --security only" in said.output


def test_the_folder_may_be_named_by_the_environment_which_other_questions_do_not_mind(tmp_path: Path) -> None:
    asked = ["doctor", "--config", str(tmp_path / "none.toml")]
    for arguments in (asked, [*asked, "--security"]):
        said = CliRunner().invoke(main, arguments, env={"C2C_ASTERISK_ETC": str(tmp_path)})

        assert said.exit_code == 78, said.output  # there is no configuration; that is all


MANAGER = "[general]\nenabled = yes\n[a](!)\nwrite = all\n[console]\nsecret = x\nwrite = "


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[general]\nenabled = no\n[console]\nwrite = all\n", ""),
        ("[General]\nEnabled = Yes\n[console]\nWrite = all\n", "manager_originate"),
        (f"{MANAGER}\n", "manager_enabled"),
        (f"{MANAGER}log,verbose\n", "manager_enabled"),
        (f"{MANAGER}0\n", "manager_enabled"),
        (f"{MANAGER}log, Originate\n", "manager_originate"),
        (f"{MANAGER}all\n", "manager_originate"),
        (f"{MANAGER}yes\n", "manager_originate"),
        (f"{MANAGER}-1\n", "manager_originate"),
        (f"{MANAGER}log\n[b](a)\n", "manager_originate"),
    ],
)
async def test_what_users_of_the_manager_interface_may(tmp_path: Path, text: str, code: str) -> None:
    assert [finding.code for finding in await manager.look(patient(tmp_path, manager=text))] == [code]


async def test_users_in_a_part_that_cannot_be_read_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def asterisks_own(patient: Patient, file: str, section: str, key: str) -> str:
        return {"enabled": "yes", "bindaddr": "127.0.0.1"}[key]

    monkeypatch.setattr(Patient, "asterisks_own", asterisks_own)
    sick = patient(tmp_path, manager="[general]\nenabled = no\n#include users.conf\n")  # which may say otherwise

    (finding,) = await manager.look(sick)

    assert finding.code == "manager_enabled"
    assert "users.conf, which is not there" in finding.fact


def test_a_file_is_open_when_its_rights_and_all_folders_above_are() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as own:  # pytest's folders are closed
        Path(own).chmod(0o755)
        inner = Path(own) / "etc"
        inner.mkdir()
        file, link = inner / "ari.conf", Path(own) / "link.conf"
        file.write_text("password = x")
        link.symlink_to(file)

        for folder_rights, rights, is_open in ((0o755, 0o644, True), (0o755, 0o640, False), (0o750, 0o644, False)):
            inner.chmod(folder_rights)
            file.chmod(rights)
            assert secret_files.open_to_all(file) is is_open
            assert secret_files.open_to_all(link) is is_open
        assert not secret_files.open_to_all(inner / "gone.conf")


@pytest.mark.parametrize(
    ("line", "is_secret"),
    [
        ("password = x", True),
        ("  Secret=>x", True),
        ("md5_cred = 0123", True),
        ("inbound_auth/password = x", True),  # pjsip_wizard.conf
        ("outbound_auth/password=x", True),
        ("outbound_auth/username = x", False),
        ("password =", False),
        ("password = ; none", False),
        (";password = x", False),
        ("auth_type = userpass", False),
    ],
)
def test_which_lines_make_a_file_secret(line: str, is_secret: bool) -> None:
    assert bool(secret_files.SECRET.search(f"[a]\n{line}\n")) is is_secret


async def test_the_key_that_stands_in_one_file_with_its_certificate_is_looked_at(tmp_path: Path) -> None:
    both, alone = tmp_path / "both.pem", tmp_path / "alone.crt"
    both.write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n")
    alone.write_text("-----BEGIN CERTIFICATE-----\n")
    http = f"[general]\ntlsenable = yes\ntlscertfile = {both}\n"
    sick = patient(
        tmp_path, http=http, pjsip="[tls]\ntype = transport\ncert_file = alone.crt\npriv_key_file = gone.key\n"
    )

    assert list(secret_files._keys(sick.asterisk_files())) == [tmp_path / "gone.key", both]


@pytest.mark.parametrize(
    ("match", "whom"),
    [
        ("match = 198.51.100.7", ""),
        ("match = 198.51.100.0/24,sip.carrier.example", ""),
        ("match = 10.0.0.0/8\nmatch = 192.168.0.0/16", ""),
        ("match = 0.0.0.0/0", "every address"),
        ("match = 0.0.0.0/0.0.0.0", "every address"),
        ("match = 198.51.100.7, ::/0", "every address"),
        ("match = 0.0.0.0/1\nmatch = 128.0.0.0/1", "much of the internet"),
        ("Match = 198.0.0.0/7", "much of the internet"),
    ],
)
def test_whom_an_identify_section_takes_for_the_carrier(tmp_path: Path, match: str, whom: str) -> None:
    sick = patient(tmp_path, pjsip=f"[carrier]\nType = identify\nEndpoint = carrier\n{match}\n")
    (section,) = sick.asterisk_files().whole("pjsip.conf").of_type("identify")

    assert strangers._strangers_of(section) == whom


@pytest.mark.parametrize(
    ("proxies", "receivers", "codes"),
    [
        ("127.0.0.1, ::1", "", []),
        ("", "", []),
        ("10.0.0.0/8, 192.168.0.0/16, fd00::/8, 203.0.113.7", "127.0.0.0/8, 10.0.0.0/8, fd12:3456::/32", []),
        ("0.0.0.0/0", "", ["proxies_everybody"]),
        ("127.0.0.1, ::/0", "", ["proxies_everybody"]),
        ("0.0.0.0/1, 128.0.0.0/1", "", ["proxies_everybody"]),
        ("", "0.0.0.0/0", ["webhooks_anywhere"]),
        ("", "10.0.0.0/8, 169.254.0.0/16", ["webhooks_anywhere"]),
        ("", "fd00::/8", ["webhooks_anywhere"]),
        ("::/0", "::/0", ["proxies_everybody", "webhooks_anywhere"]),
    ],
)
async def test_whom_the_service_believes_and_where_webhooks_go(proxies: str, receivers: str, codes: list[str]) -> None:
    http, webhooks = Http(trusted_proxies=parse_networks(proxies)), Webhooks(allow_subnets=parse_networks(receivers))
    findings = await believed.look(Patient(Config(Ari("secret"), http=http, webhooks=webhooks)))

    assert [finding.code for finding in findings if finding.code] == codes


def test_the_name_of_every_check_stands_apart_from_what_it_says() -> None:
    assert max(len(check.name) for check in (*checks.ALL, *checks.SECURITY)) < _NAME


@pytest.mark.parametrize(
    ("setid", "uid", "command", "level"),
    [
        ("", "0", "/usr/sbin/asterisk\0-f", Level.ERROR),
        ("asterisk", "0", "/usr/sbin/asterisk", Level.ERROR),  # what the kernel says counts
        ("root", "", "", Level.ERROR),
        ("", "107", "/usr/sbin/asterisk", Level.OK),
        ("asterisk", "", "", Level.OK),
        ("", "0", "/bin/sleep", Level.UNSEEN),  # another process has the number now
        ("", "", "", Level.UNSEEN),
    ],
)
async def test_who_asterisk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setid: str, uid: str, command: str, level: Level
) -> None:
    async def info(patient: Patient) -> dict[str, Any]:
        return {"config": {"setid": {"user": setid, "group": ""}}}

    process = tmp_path / "7"
    if uid:
        process.mkdir()
        (process / "cmdline").write_text(command)
        (process / "status").write_text(f"Name:\tasterisk\nUid:\t1\t{uid}\t1\t1\n")
        (tmp_path / "asterisk.pid").write_text("7\n")
    monkeypatch.setattr(own_user, "PROC", tmp_path)
    monkeypatch.setattr(Patient, "info", info)
    sick = patient(tmp_path, asterisk=f"[directories]\nastrundir = {tmp_path}\n")

    assert [finding.level for finding in await own_user.look(sick)] == [level]


@pytest.mark.parametrize(
    ("modules", "logs", "code"),
    [
        ({security_log.MODULE}, [("Enabled", "SECURITY ")], ""),
        ({security_log.MODULE}, [("Enabled", "NOTICE "), ("Enabled", "ERROR SECURITY ")], ""),
        ({security_log.MODULE}, [("Disabled", "SECURITY ")], "security_unlogged"),
        ({security_log.MODULE}, [("Enabled", "NOTICE WARNING ")], "security_unlogged"),
        (set(), [("Enabled", "SECURITY ")], "security_unlogged"),
    ],
)
async def test_where_failed_logins_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: set[str], logs: list[tuple[str, str]], code: str
) -> None:
    class Asked:
        async def get(self, path: str) -> list[dict[str, str]]:
            return [{"channel": "x", "status": status, "configuration": levels} for status, levels in logs]

    async def running(patient: Patient) -> set[str]:
        return modules

    monkeypatch.setattr(Patient, "modules", running)
    monkeypatch.setattr(Patient, "inspector", Asked(), raising=False)

    assert [finding.code for finding in await security_log.look(patient(tmp_path))] == [code]


async def test_the_http_conf_for_containers_lets_in_private_networks_only(tmp_path: Path) -> None:
    containers = (Path(__file__).parents[2] / "docker/ports/http.conf").read_text()

    found = await ari_address.look(patient(tmp_path, http=containers))

    assert [finding.code for finding in found] == ["ari_plain_http"]
