"""What is shipped for running the service: compose files that fit the official schema, images and units that agree."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser
from ruamel.yaml import YAML

from c2c_stasis.cli import main

DOCKER = Path(__file__).parents[1] / "docker"
UNIT = DOCKER / "systemd/c2c-stasis.service"
IMAGES = {"service": "Dockerfile", "asterisk": "Dockerfile.asterisk"}


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe").load((DOCKER / name).read_text())
    return read


def instructions(dockerfile: str, kind: str) -> list[str]:
    with (DOCKER / dockerfile).open("rb") as file:
        return [step["value"] for step in DockerfileParser(fileobj=file).structure if step["instruction"] == kind]


def unit_settings(key: str) -> list[str]:
    """Every value of a key, which systemd lets stand several times."""
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", ["compose.yaml", "compose.ports.yaml"])
def test_the_compose_file_fits_the_schema_of_the_compose_specification(name: str) -> None:
    # The schema comes with check-jsonschema, which takes it from the specification's own repository.
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(DOCKER / name)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_schema_would_notice_a_mistake(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DOCKER / "compose.yaml").read_text().replace("    volumes:", "    volume:"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)]
    assert subprocess.run(command, capture_output=True).returncode == 1


def test_no_service_is_root_or_writes_where_nothing_is_mounted() -> None:
    for name, described in compose()["services"].items():
        assert described["read_only"] is True
        assert described["cap_drop"] == ["ALL"]
        assert instructions(IMAGES[name], "USER") == [{"service": "c2c-stasis", "asterisk": "asterisk"}[name]]


def test_the_service_waits_for_a_healthy_asterisk_and_every_volume_is_declared() -> None:
    composed = compose()
    assert composed["services"]["service"]["depends_on"] == {"asterisk": {"condition": "service_healthy"}}
    used = {text.split(":")[0] for one in composed["services"].values() for text in one["volumes"]}
    assert {name for name in used if not name.startswith("./")} == set(composed["volumes"])


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
    for line in (*unit_settings("ExecStartPre"), *unit_settings("ExecStart")):
        assert line.split()[1] in main.commands, line
    assert unit_settings("RestartPreventExitStatus") == ["2 75 78"]
    assert unit_settings("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert f"u {unit_settings('User')[0]} " in (DOCKER / "systemd/c2c-stasis.sysusers.conf").read_text()


def test_the_operators_document_names_commands_that_exist() -> None:
    document = (DOCKER.parent / "docs/operations.md").read_text()
    named = set(re.findall(r"(?:^ +|`|/bin/)c2c-stasis ([a-z]+)", document, re.MULTILINE))
    assert {"backup", "restore", "migrate"} <= named
    assert named <= set(main.commands)
