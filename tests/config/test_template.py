"""The file that `init` writes: a configuration, with all that is said about every key where the key is defined."""

import dataclasses
from pathlib import Path

from c2c_stasis.config import Address, Config, Database, Trunk, load, template
from c2c_stasis.config.model import SECTIONS, keys_of, meaning_of

DRAWN = Path(__file__).parents[2] / "docs" / "c2c.toml"


def read(folder: Path, text: str) -> Config:
    (folder / "c2c.toml").write_text(text)
    return load(folder / "c2c.toml", {})


def uncommented(text: str) -> str:
    """The trunk that stands there as a comment, switched on as the file says: what was a comment stays one."""
    return "".join(line.removeprefix("# ") if _is_trunk(line) else line for line in text.splitlines(keepends=True))


def _is_trunk(line: str) -> bool:
    keys = tuple(f"# {key} =" for key in keys_of(Trunk))
    return line.startswith(("# [[trunks]]", *keys))


def test_the_template_is_a_configuration(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        template(
            listen="0.0.0.0:9000",
            ari_url="http://pbx:8088",
            ari_username="me",
            ari_password='q"\\\t'.replace("\t", "é\U0001f600"),
            ari_app="app2",
            database_url="sqlite+aiosqlite:////x.db",
            trunk_endpoint="PJSIP/{number}@mine",
        ),
    )
    assert config == Config(
        ari=dataclasses.replace(
            config.ari, url="http://pbx:8088", username="me", password='q"\\é\U0001f600', app="app2"
        ),
        http=dataclasses.replace(config.http, listen=Address("0.0.0.0", 9000)),
        database=Database("sqlite+aiosqlite:////x.db"),
        trunks=(Trunk("carrier", "PJSIP/{number}@mine"),),
    )


def test_without_a_trunk_one_stands_there_as_a_comment(tmp_path: Path) -> None:
    text = template(ari_password="pw")
    assert read(tmp_path, text).trunks == ()
    assert read(tmp_path, uncommented(text)).trunks == (Trunk("carrier", "PJSIP/{number}@carrier"),)


def test_what_nobody_said_otherwise_has_its_default(tmp_path: Path) -> None:
    (tmp_path / "bare.toml").write_text('[ari]\npassword = "pw"\n')
    assert read(tmp_path, template(ari_password="pw")) == load(tmp_path / "bare.toml", {})


def test_every_key_is_there_with_its_meaning_its_default_and_what_it_may_be() -> None:
    text = " ".join(template().replace("#", "").split())
    for section, model in SECTIONS.items():
        assert f"{meaning_of(model)}. [" in text, section
        for key in keys_of(model).values():
            said = f"{key.about.meaning} ({key.rule.form}; "
            assert " ".join(said.split()) in text, (section, key.name)
            assert f" {key.name} = " in text, (section, key.name)
    assert "(1 to 120 seconds; default 30; reloads)" in text


def test_the_document_is_what_the_code_says() -> None:
    assert DRAWN.read_text() == template()
