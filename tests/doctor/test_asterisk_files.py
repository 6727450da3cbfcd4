"""Asterisk's files as Asterisk reads them."""

from pathlib import Path

import pytest

from c2c_stasis.doctor.asterisk_files import AsteriskFiles, ConfFile, FileUnread, is_true
from c2c_stasis.lab.configuration import shipped


def read(folder: Path, text: str, **others: str) -> ConfFile:
    """`main.conf` with this text, beside other files by name."""
    for name, content in {"main": text, **others}.items():
        (folder / f"{name}.conf").write_text(content)
    return AsteriskFiles(folder).file("main.conf")


def test_comments_are_left_out_and_the_last_value_counts(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        """\
;[general]
[general] ; the one
key = one ; not two
key => two\\;three
;-- key = four
key = five --;
Spaced key =   six
""",
    )

    assert file.named("general").settings == [("key", "one"), ("key", "two;three"), ("spaced key", "six")]
    assert file.named("general").value("key") == "two;three"
    assert file.named("general").value("nothing", "instead") == "instead"


def test_capital_letters_make_no_difference_in_names_unless_both_are_there(tmp_path: Path) -> None:
    """As tried with 22.10.1: `[General]` with `Enabled = Yes` opens the manager interface."""
    file = read(
        tmp_path,
        """\
[General]
Enabled = Yes
[Base](!)
Read_Only = Yes
[alice](base)
Type = user
[ALICE](+)
Write = all
[bob]
one = yes
[Bob]
two = yes
""",
    )

    assert file.named("general").true("enabled")
    assert file.named("alice").settings == [("read_only", "Yes"), ("type", "user"), ("write", "all")]
    assert [user.name for user in file.of_type("user")] == ["alice"]
    assert [file.named(name).settings[0][0] for name in ("bob", "Bob", "BOB")] == ["one", "two", "one"]


def test_templates_give_their_settings_and_count_as_no_section(tmp_path: Path) -> None:
    file = read(
        tmp_path,
        """\
[base](!)
type = user
read_only = yes
[more](!,base)
acl = office
[alice](more)
[bob](base)
read_only = no
[alice](+)
password = x
""",
    )

    assert [user.name for user in file.of_type("user")] == ["alice", "bob"]
    assert file.named("alice").settings == [
        ("type", "user"),
        ("read_only", "yes"),
        ("acl", "office"),
        ("password", "x"),
    ]
    assert not file.named("bob").true("read_only")
    assert file.named("base").settings == []


def test_includes_are_read_where_they_stand_with_patterns_and_whole_paths(tmp_path: Path) -> None:
    (tmp_path / "users.d").mkdir()
    (tmp_path / "users.d/b.conf").write_text("[b]\ntype = user\n")
    (tmp_path / "users.d/a.conf").write_text("[a]\ntype = user\n")

    file = read(
        tmp_path,
        f"""\
[general]
#include "part.conf"
#include users.d/*.conf
#tryinclude <{tmp_path}/nothing.conf>
#tryinclude {tmp_path}/whole.conf
""",
        part="key = of the part",
        whole="[c]\ntype = user",
    )

    assert file.named("general").value("key") == "of the part"
    assert [user.name for user in file.of_type("user")] == ["a", "b", "c"]
    assert [path.name for path in file.read] == ["main.conf", "part.conf", "a.conf", "b.conf", "whole.conf"]
    assert file.unread == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("#include gone.conf", "includes gone.conf, which is not there"),
        ("#include main.conf", "includes main.conf, which is not there"),  # itself, without end
        ("#exec /bin/true", "has a line with #exec, and no program is run"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, line: str, why: str) -> None:
    read(tmp_path, f"[general]\nkey = value\n{line}\n")
    files = AsteriskFiles(tmp_path)

    assert why in files.file("main.conf").unread[-1]
    assert files.file("main.conf").named("general").value("key") == "value"
    with pytest.raises(FileUnread, match=r"main\.conf"):
        files.whole("main.conf")


def test_a_folder_in_place_of_a_file_is_unread_also_for_root(tmp_path: Path) -> None:
    (tmp_path / "part.conf").mkdir()
    files = AsteriskFiles(tmp_path)
    (tmp_path / "main.conf").write_text("#include part.conf\n")

    assert "cannot be read: Is a directory" in files.file("main.conf").unread[0]
    with pytest.raises(FileUnread, match="Is a directory"):
        files.file("part.conf")


def test_a_file_that_is_not_there_is_empty_and_a_folder_that_is_not_there_is_unread(tmp_path: Path) -> None:
    assert AsteriskFiles(tmp_path).whole("manager.conf") == ConfFile()
    with pytest.raises(FileUnread, match="No such file"):
        AsteriskFiles(tmp_path / "nowhere").whole("manager.conf")


@pytest.mark.parametrize(
    ("text", "yes"), [("yes", True), ("True", True), ("1", True), ("on", True), ("no", False), ("", False)]
)
def test_what_asterisk_takes_for_a_yes(text: str, yes: bool) -> None:
    assert is_true(text) is yes


def test_the_shipped_phones_inherit_all_of_their_templates() -> None:
    phone = next(one for one in AsteriskFiles(shipped()).file("pjsip.conf").sections if one.name == "phone")

    assert (phone.template, phone.value("contact_acl"), phone.value("allow_transfer")) == (True, "phone-contacts", "no")
