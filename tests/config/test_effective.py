"""What counts in the end, where it comes from, and what differs between two configurations."""

import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from c2c_stasis.cli import main
from c2c_stasis.config import (
    Address,
    Config,
    Http,
    LogFormat,
    RouteRule,
    Trunk,
    Words,
    changes,
    load,
    load_with_origins,
    settings,
    template,
)
from c2c_stasis.config.model import LISTS, SECTIONS, keys_of

SECRET = "hunter2-topsecret"
FILE = f"""[ari]
password = "{SECRET}"
pool = 7
[calls]
ring_timeout = 12
[[trunks]]
name = "carrier"
endpoint = "PJSIP/{{number}}@carrier"
[[routes]]
trunks = "carrier"
"""
ENVIRON = {"C2C_CALLS__RING_TIMEOUT": "20.5", "C2C_TRUNKS__0__FORMAT": "00", "C2C_TRUNKS__1__NAME": "other",
    "C2C_TRUNKS__1__ENDPOINT": "PJSIP/{number}@other"}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("C2C_"):
            monkeypatch.delenv(name)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "c2c.toml").write_text(FILE)
    return tmp_path


def shown(*options: str) -> str:
    result = CliRunner().invoke(main, ["config", *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_is_the_configuration_itself_but_for_the_secret(folder: Path) -> None:
    text = shown()
    assert SECRET not in text
    assert "password" not in tomllib.loads(text)["ari"]
    (folder / "again.toml").write_text(text)
    assert load(folder / "again.toml", {"C2C_ARI__PASSWORD": SECRET}) == load(folder / "c2c.toml", ENVIRON)


def test_behind_every_value_stands_where_it_comes_from() -> None:
    lines = shown().splitlines()
    for line in (
        "# password = (not shown)  # file c2c.toml:2",
        "pool = 7  # file c2c.toml:3",
        'username = "c2c-stasis"  # default',
        "ring_timeout = 20.5  # environment C2C_CALLS__RING_TIMEOUT",
        "max_duration = 14400  # default",
        'name = "carrier"  # file c2c.toml:7',
        'format = "00"  # environment C2C_TRUNKS__0__FORMAT',
        'name = "other"  # environment C2C_TRUNKS__1__NAME',
    ):
        assert line in lines


def test_a_program_gets_the_same(folder: Path) -> None:
    facts = json.loads(shown("--json"))
    assert facts["file"] == str(folder / "c2c.toml")
    assert facts["settings"]["ari.password"] == {
        "value": None, "secret": True, "source": "file", "where": "c2c.toml:2", "reloads": False}  # fmt: skip
    assert facts["settings"]["calls.ring_timeout"] == {
        "value": 20.5, "secret": False, "source": "environment", "where": "C2C_CALLS__RING_TIMEOUT", "reloads": True
    }  # fmt: skip
    assert facts["settings"]["log.format"]["source"] == "default"
    assert facts["settings"]["trunks[1].endpoint"]["value"] == "PJSIP/{number}@other"
    assert SECRET not in json.dumps(facts)


def test_no_key_is_left_out(folder: Path) -> None:
    wanted = {
        f"{f'{section}[0]' if section in LISTS else section}.{key}"
        for section, model in SECTIONS.items()
        for key in keys_of(model)
    }
    assert wanted <= {one.name for one in settings(load_with_origins(folder / "c2c.toml", ENVIRON))}


def test_what_init_writes_counts_as_written(folder: Path) -> None:
    (folder / "c2c.toml").write_text(template(ari_password=SECRET, trunk_endpoint="PJSIP/{number}@carrier"))
    loaded = load_with_origins(folder / "c2c.toml", {})
    lines = (folder / "c2c.toml").read_text().splitlines()
    for one in settings(loaded):
        _, _, number = one.origin.where.rpartition(":")
        assert lines[int(number) - 1].startswith(f"{one.key.name} = "), one


# --- two configurations ---


@pytest.fixture
def running(folder: Path) -> Config:
    return load(folder / "c2c.toml", {})


def test_the_same_again_changes_nothing(running: Config, folder: Path) -> None:
    found = changes(running, load(folder / "c2c.toml", {}))
    assert (found.config, found.reloaded, found.restart) == (running, (), ())


def test_what_reloads_is_taken_over_and_what_does_not_keeps_its_value(running: Config) -> None:
    read = replace(
        running,
        http=Http(Address("127.0.0.1", 1)),
        trunks=(Trunk("x", "PJSIP/{number}@x"),),
        routes=(RouteRule(Words(("x",))),),
        calls=replace(running.calls, ring_timeout=3.0, tone_seconds=0.0),
        log=replace(running.log, level="debug", format=LogFormat.JSON),
    )
    found = changes(running, read)
    assert found.reloaded == ("trunks", "routes", "calls.ring_timeout", "calls.tone_seconds", "log.level")
    assert found.restart == ("http.listen", "log.format")
    assert found.config == replace(
        running, trunks=read.trunks, routes=read.routes, calls=read.calls, log=replace(running.log, level="debug")
    )
