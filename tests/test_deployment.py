"""What is shipped for running the service: compose files that fit the official schema, images and units that agree."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from c2c_stasis.cli import main
from c2c_stasis.config import Process
from c2c_stasis.stopping import STOP_WITHIN
from tests.compose import DOCKER, composed

UNIT = DOCKER / "systemd/c2c-stasis.service"
OVERLAYS: list[tuple[str, ...]] = [(), ("compose.ports.yaml",)]
IMAGES = {"service": "Dockerfile", "asterisk": "Dockerfile.asterisk"}


def instructions(dockerfile: str, kind: str) -> list[str]:
    with (DOCKER / dockerfile).open("rb") as file:
        return [step["value"] for step in DockerfileParser(fileobj=file).structure if step["instruction"] == kind]


def unit_settings(key: str) -> list[str]:
    """Every value of a key, which systemd lets stand several times."""
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)


def fits_the_schema(described: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """The schema comes with check-jsonschema, which takes it from the specification's own repository."""
    file = folder / "compose.json"
    file.write_text(json.dumps(described))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("overlays", OVERLAYS)
def test_the_compose_files_fit_the_schema_of_the_compose_specification(
    overlays: tuple[str, ...], tmp_path: Path
) -> None:
    checked = fits_the_schema(composed(*overlays), tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_schema_would_notice_a_mistake(tmp_path: Path) -> None:
    wrong = composed()
    wrong["services"]["service"]["volume"] = wrong["services"]["service"].pop("volumes")
    assert fits_the_schema(wrong, tmp_path).returncode == 1


@pytest.mark.parametrize("overlays", OVERLAYS)
def test_nothing_is_written_into_a_read_only_root_before_the_start(overlays: tuple[str, ...]) -> None:
    # Compose copies configs and secrets with content, or of a variable, into the container, and refuses that for such a root
    # (docker/compose#12031): mounted files only.
    described = composed(*overlays)
    for service in described["services"].values():
        for kind in ("configs", "secrets"):
            names = [one if isinstance(one, str) else one["source"] for one in service.get(kind, [])]
            assert not service["read_only"] or all("file" in described[kind][name] for name in names)


@pytest.mark.parametrize("overlays", OVERLAYS)
def test_every_file_that_is_mounted_is_there_and_no_place_is_taken_twice(overlays: tuple[str, ...]) -> None:
    for service in composed(*overlays)["services"].values():
        mounts = [text.split(":") for text in service["volumes"]]
        assert len({target for _, target, *_ in mounts}) == len(mounts)
        for source, _, *options in mounts:
            if source.startswith("./"):
                assert (DOCKER / source).exists()
                assert options == ["ro"]


@pytest.mark.parametrize("overlays", OVERLAYS)
def test_no_container_lives_in_the_network_of_another(overlays: tuple[str, ...]) -> None:
    # It would lose it when the other is restarted, and nothing would notice (docker/compose#6626).
    for service in composed(*overlays)["services"].values():
        assert not str(service.get("network_mode", "")).startswith(("service:", "container:"))


def test_with_published_ports_nothing_differs_in_asterisk_but_where_it_listens() -> None:
    etc = DOCKER.parent / "asterisk/etc"
    bind = ("bindaddr", "0.0.0.0")
    shipped, widened = settings(etc / "http.conf"), settings(DOCKER / "ports/http.conf")
    assert [line for line in widened if line not in shipped and line[0] != "permit"] == [bind]
    assert [line[0] for line in shipped if line not in widened] == ["bindaddr"]
    (first, last), published = rtp_ports(), composed("compose.ports.yaml")["services"]["asterisk"]["ports"]
    assert f"{first}-{last}:{first}-{last}/udp" in published
    assert [line for line in settings(etc / "rtp.conf") if line not in settings(DOCKER / "ports/rtp.conf")] == [
        ("rtpend", "20000")
    ]


def settings(file: Path) -> list[tuple[str, str]]:
    """The lines of a file of Asterisk that set something."""
    return re.findall(r"^(\w+) = ([^;\n]*?)\s*(?:;.*)?$", file.read_text(), re.MULTILINE)


def rtp_ports() -> tuple[str, str]:
    """The first and the last that are published."""
    found = dict(settings(DOCKER / "ports/rtp.conf"))
    return found["rtpstart"], found["rtpend"]


def test_no_service_is_root_or_writes_where_nothing_is_mounted() -> None:
    for name, described in composed("compose.ports.yaml")["services"].items():
        assert described["read_only"] is True
        assert described["cap_drop"] == ["ALL"]
        assert instructions(IMAGES[name], "USER") == [{"service": "c2c-stasis", "asterisk": "asterisk"}[name]]


def test_the_service_waits_for_a_healthy_asterisk_and_every_volume_is_declared() -> None:
    described = composed()
    assert described["services"]["service"]["depends_on"] == {"asterisk": {"condition": "service_healthy"}}
    used = {text.split(":")[0] for one in described["services"].values() for text in one["volumes"]}
    assert {name for name in used if not name.startswith("./")} == set(described["volumes"])


def test_what_an_image_copies_is_not_ignored_by_its_build() -> None:
    for name in IMAGES.values():
        kept = re.findall(r"^!(.*)$", (DOCKER / f"{name}.dockerignore").read_text(), re.MULTILINE)
        for words in (value.split() for value in instructions(name, "COPY")):
            if words[0].startswith("--from"):
                continue
            *sources, _ = [word for word in words if not word.startswith("--")]
            assert {source.removesuffix("/").split("/etc")[0] for source in sources} <= set(kept)


def test_no_password_is_in_any_file_of_the_images() -> None:
    for path in DOCKER.rglob("*"):
        if path.is_file():
            found = re.findall(r"^\s*password\s*=\s*(\S+)", path.read_text(), re.MULTILINE)
            assert found == [], path


def test_the_unit_runs_commands_that_exist_and_stops_at_a_wrong_configuration() -> None:
    for line in unit_settings("ExecStart"):
        assert line.split()[1] in main.commands, line
    assert unit_settings("RestartPreventExitStatus") == ["2 75 78"]
    assert unit_settings("RestartForceExitStatus") == ["SIGHUP"]
    assert unit_settings("Type") == ["notify"]  # tests/test_systemd.py
    assert unit_settings("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert f"u {unit_settings('User')[0]} " in (DOCKER / "systemd/c2c-stasis.sysusers.conf").read_text()


OPERATIONS = DOCKER.parent / "docs/operations.md"
COMMAND = re.compile(r"(?:^ +|`|/bin/|-- )(?:c2c|c2c-stasis|/opt/\S+/c2c-stasis) ([a-z]+)", re.MULTILINE)


def pasted(document: Path) -> list[str]:
    """The lines that are to be pasted into a shell."""
    return re.findall(r"^ {4,}(\S.*)$", document.read_text(), re.MULTILINE)


def test_the_operators_document_names_commands_that_exist() -> None:
    named = set(COMMAND.findall(OPERATIONS.read_text()))
    assert {"backup", "restore", "migrate", "doctor", "devices"} <= named
    assert named <= set(main.commands)


def test_every_line_to_paste_finds_the_program_and_its_configuration() -> None:
    (program,) = {line.split()[0] for line in unit_settings("ExecStart")}
    (found,) = re.findall(r"C2C_CONFIG=(\S+)", UNIT.read_text())
    (helper,) = [line for line in pasted(OPERATIONS) if line.startswith("c2c()")]
    assert f"runuser -u {unit_settings('User')[0]} -- env C2C_CONFIG={found} {program} " in helper
    on_the_machine = [line for line in pasted(OPERATIONS) if "docker compose" not in line]
    assert not [line for line in on_the_machine if line.startswith("c2c-stasis ")]
    for line in on_the_machine:
        if re.search(r"/bin/c2c-stasis (backup|restore|migrate|init)", line) and not line.endswith("\\"):
            assert f"-c {found}" in line


def test_the_tables_are_changed_by_the_new_program_before_it_becomes_the_one_that_runs() -> None:
    text = OPERATIONS.read_text()
    section = text[text.index("## Upgrade and rollback") :]
    steps = [
        line for line in re.findall(r"^ {7}(\S.*)$", section, re.MULTILINE) if "systemctl daemon-reload" not in line
    ]
    new = re.match(r"python3 -m venv (/opt/c2c-stasis-\S+) ", steps[0])
    assert new is not None
    assert steps[1] == "systemctl stop c2c-stasis"
    assert f"{new[1]}/bin/c2c-stasis migrate" in steps[2]
    assert steps[3:] == [f"ln -sfn {Path(new[1]).name} /opt/c2c-stasis", "systemctl restart c2c-stasis"]


def test_the_unit_waits_for_whatever_starts_asterisk() -> None:
    (after,) = [value.split() for value in unit_settings("After")]
    assert {"asterisk.service", "freepbx.service"} <= set(after)


def test_who_stops_the_service_waits_for_longer_than_its_end_can_take() -> None:
    (patience,) = unit_settings("TimeoutStopSec")
    grace = composed()["services"]["service"]["stop_grace_period"]
    assert float(patience) > STOP_WITHIN  # and is told more by the service itself when that waits for calls
    assert float(grace.removesuffix("s")) > STOP_WITHIN
    assert Process().waits == 0.0  # a container's engine is not told: whoever sets `wait` sets its patience too
