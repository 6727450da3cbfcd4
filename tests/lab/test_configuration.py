"""The shipped configuration of Asterisk: what is in it, and how the laboratory changes what must differ."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from c2c_stasis.lab.configuration import (
    SECTION,
    SETTING,
    DeviceAccount,
    Override,
    TrunkAccount,
    apply,
    deploy,
    devices_file,
    shipped,
    trunks_file,
)
from c2c_stasis.lab.deployment import overrides
from c2c_stasis.lab.errors import LaboratoryError, OverrideMisses
from c2c_stasis.lab.installation import Installation
from c2c_stasis.lab.ports import Ports

TEXT = """\
; a comment = nothing
[one]
key = value   ; why
other => 1;2 \\; 3
[two](template)
key = value
[two]
extra = 1
twice = 1
twice = 2
"""


def settings(file: str) -> Iterator[tuple[str, str, str]]:
    """Section, key and value of every line of one shipped file that says something."""
    section = ""
    for line in (shipped() / file).read_text().splitlines():
        if found := SECTION.match(line):
            section = found[1]
        elif setting := SETTING.match(line):
            yield section, setting[2], setting[4]


def values(file: str, section: str, key: str) -> list[str]:
    return [value for where, name, value in settings(file) if (where, name) == (section, key)]


@pytest.mark.parametrize(
    ("override", "before", "after"),
    [
        (Override("x", "one", "key", "new"), "key = value   ; why\n", "key = new   ; why\n"),
        (Override("x", "one", "key", "a;b"), "key = value   ; why\n", "key = a\\;b   ; why\n"),
        (Override("x", "one", "other", "9"), "other => 1;2 \\; 3\n", "other => 9;2 \\; 3\n"),
        (Override("x", "one", "key"), "key = value   ; why\n", ""),
        (Override("x", "two", "extra", "2"), "extra = 1\n", "extra = 2\n"),
        (Override("x", "one", None), "[one]\nkey = value   ; why\nother => 1;2 \\; 3\n", ""),
    ],
)
def test_an_override_changes_its_own_line_and_nothing_else(override: Override, before: str, after: str) -> None:
    assert apply(TEXT, override) == TEXT.replace(before, after)


@pytest.mark.parametrize(
    "override",
    [
        Override("x", "one", "extra", "1"),
        Override("x", "one", "a comment", "1"),
        Override("x", "three", "key", "1"),
        Override("x", "three", None),
        Override("x", "two", "twice", "1"),
    ],
)
def test_an_override_that_is_not_there_exactly_once_is_an_error(override: Override) -> None:
    with pytest.raises(OverrideMisses):
        apply(TEXT, override)


def test_an_override_of_a_file_that_is_not_shipped_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OverrideMisses, match=r"sip\.conf"):
        deploy(shipped(), tmp_path, [Override("sip.conf", "general", "bindport", "1")], {})


def test_files_that_hold_passwords_are_for_their_owner_only(tmp_path: Path) -> None:
    deploy(shipped(), tmp_path, [], {"ari-password.conf": "password = x\n"})
    assert stat.S_IMODE((tmp_path / "ari-password.conf").stat().st_mode) == 0o600


@pytest.mark.parametrize(("certificate", "ipv6"), [(Path("/x/sip.crt"), True), (None, False)])
def test_the_laboratory_differs_in_ports_paths_and_addresses_only(
    certificate: Path | None, ipv6: bool, tmp_path: Path
) -> None:
    installation = Installation("22.10.1", None, ("asterisk",), tmp_path / "modules", tmp_path / "data")
    differences = overrides(
        tmp_path,
        Ports(1001, 1002, 1003, (2000, 2999)),
        installation,
        marker="lab",
        certificate=certificate,
        trunk_address=("127.0.0.1", 1004),
        ipv6=ipv6,
    )
    deploy(shipped(), tmp_path, differences, {})
    for file in shipped().glob("*.conf"):
        ours, theirs = file.read_text().splitlines(), (tmp_path / file.name).read_text().splitlines()
        changed = [one for one in differences if one.file == file.name and one.value is not None]
        assert len([line for line in theirs if line not in ours]) <= len(changed)
    dropped = {one.section for one in differences if one.key is None}
    assert dropped == (set() if ipv6 else {"transport-udp6", "transport-tcp6", "transport-tls"})
    text = "".join(file.read_text() for file in tmp_path.glob("*.conf"))
    assert "192.0.2.10:5060" not in text


def test_no_password_is_shipped() -> None:
    for file in shipped().glob("*.conf"):
        keys = {key for _, key, _ in settings(file.name)}
        assert not keys & {"password", "md5_cred", "secret", "password_digest"}


def test_every_module_is_named_once_and_none_is_loaded_by_itself() -> None:
    assert values("modules.conf", "modules", "autoload") == ["no"]
    loaded = values("modules.conf", "modules", "load")
    assert len(loaded) == len(set(loaded))
    assert {"res_pjsip_rfc3326.so", "app_stasis.so", "res_sorcery_memory_cache.so", "func_timeout.so"} <= set(loaded)
    assert not {"res_pjsip_endpoint_identifier_anonymous.so", "res_pjsip_refer.so", "app_system.so"} & set(loaded)


@pytest.mark.parametrize(
    ("file", "section", "key", "value"),
    [
        ("http.conf", "general", "bindaddr", "127.0.0.1"),
        ("http.conf", "general", "sessionlimit", "512"),
        ("ari.conf", "general", "websocket_write_timeout", "5000"),
        ("ari.conf", "general", "allowed_origins", ""),
        ("asterisk.conf", "options", "live_dangerously", "no"),
        ("manager.conf", "general", "enabled", "no"),
        ("pjsip.conf", "global", "taskprocessor_overload_trigger", "pjsip_only"),
        ("pjsip.conf", "leg", "rtp_timeout", "60"),
        ("pjsip.conf", "leg", "rtp_timeout_hold", "300"),
        ("pjsip.conf", "leg", "direct_media", "no"),
        ("pjsip.conf", "leg", "allow_transfer", "no"),
        ("pjsip.conf", "leg", "redirect_method", "user"),
        ("pjsip.conf", "phone", "context", "locked-phones"),
        ("pjsip.conf", "phone", "contact_acl", "phone-contacts"),
        ("pjsip.conf", "trunk", "identify_by", "ip"),
        ("pjsip.conf", "phone-aor", "max_contacts", "5"),
        ("pjsip.conf", "phone-aor", "remove_existing", "yes"),
        ("pjsip.conf", "trunk", "context", "locked-trunk"),
        ("pjsip.conf", "trunk", "send_pai", "yes"),
        ("pjsip.conf", "trunk", "trust_id_outbound", "yes"),
    ],
)
def test_what_keeps_calls_safe_is_set(file: str, section: str, key: str, value: str) -> None:
    assert values(file, section, key) == [value]


def test_nothing_can_be_dialled_from_a_phone_or_a_trunk() -> None:
    assert [key for section, key, _ in settings("extensions.conf") if section != "general"] == []
    text = (shipped() / "extensions.conf").read_text()
    assert re.findall(r"^\[(.+)\]", text, re.MULTILINE) == ["general", "locked-phones", "locked-trunk"]


def test_every_transport_that_phones_use_is_there() -> None:
    assert {(s, v) for s, k, v in settings("pjsip.conf") if k == "protocol"} == {
        ("transport-udp", "udp"),
        ("transport-tcp", "tcp"),
        ("transport-tls", "tls"),
        ("transport-udp6", "udp"),
        ("transport-tcp6", "tcp"),
        ("transport-ws", "ws"),
    }


def test_every_zone_has_the_tones_that_a_caller_may_hear() -> None:
    zones: dict[str, set[str]] = {}
    for section, key, value in settings("indications.conf"):
        zones.setdefault(section, set()).add(key)
        if key in ("ring", "busy", "congestion"):
            assert re.fullmatch(r"(\d+([+*]\d+)?/\d+)(,\d+([+*]\d+)?/\d+)*", value), (section, key)
    zones.pop("general")
    assert {"us", "ca", "gb", "uk", "ie", "de", "fr", "es", "nl", "it", "au", "at", "ch"} <= zones.keys()
    for zone, keys in zones.items():
        assert {"ring", "busy", "congestion"} <= keys, zone


def test_devices_are_made_of_the_templates() -> None:
    assert devices_file([DeviceAccount("d-1", "a;b"), DeviceAccount("d_2", "c")], {"d_2": 1}) == (
        "[d-1](phone)\nauth = d-1\naors = d-1\n\n[d-1](phone-auth)\nusername = d-1\npassword = a\\;b\n\n[d-1](phone-aor)\n\n"
        "[d_2](phone)\nauth = d_2\naors = d_2\n\n[d_2](phone-auth)\nusername = d_2\npassword = c\n\n"
        "[d_2](phone-aor)\nmax_contacts = 1\n"
    )


@pytest.mark.parametrize(
    ("name", "password"),
    [("a b", "x"), ("", "x"), ("a]\n[b", "x"), ("a", ""), ("a", "x\npassword = y"), ("a", " x"), ("a" * 65, "x")],
)
def test_an_account_that_would_spoil_the_file_is_refused(name: str, password: str) -> None:
    with pytest.raises(LaboratoryError):
        devices_file([DeviceAccount(name, password)])


def test_more_trunks_are_made_of_the_shipped_templates() -> None:
    trunks = [TrunkAccount("second", ("127.0.0.1", 5070)), TrunkAccount("third", ("127.0.0.2", 5060), trusted=False)]

    assert trunks_file(trunks) == (
        "[second](trunk)\naors = second\ntrust_id_outbound = yes\n\n"
        "[second](trunk-aor)\ncontact = sip:127.0.0.1:5070\n\n"
        "[third](trunk)\naors = third\ntrust_id_outbound = no\n\n"
        "[third](trunk-aor)\ncontact = sip:127.0.0.2:5060\n"
    )
