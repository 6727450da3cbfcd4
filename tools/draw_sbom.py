"""Writes docs/sbom.cdx.json: every package that the service is installed with, in the form of CycloneDX.

Names follow from what pyproject.toml asks for, on Linux and every Python that is supported; versions are those of
constraints.txt; licences are what the packages say. Nothing of the machine or the moment is in it: the same files give the
same bytes.
With `--check` it writes nothing and exits 1 when the file is stale.
"""

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from importlib.metadata import metadata, requires
from pathlib import Path

import click
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "sbom.cdx.json"
PYTHONS = ("3.11", "3.12", "3.13")
PRODUCT = "c2c-stasis"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$", re.MULTILINE)


def versions(constraints: str) -> dict[str, str]:
    """The version of each package, by its normalised name."""
    return {canonicalize_name(name): version for name, version in _PINNED.findall(constraints)}


def needed(package: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """What this package, with these extras, asks for on any of the Pythons."""
    for line in requires(package) or []:
        asked = Requirement(line)
        places = [
            {"extra": extra, "python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
            | {
                "platform_system": "Linux",
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
            }
            for extra in ("", *extras)
            for python in PYTHONS
        ]
        if asked.marker is None or any(asked.marker.evaluate(dict(place)) for place in places):
            yield asked


def closure(package: str) -> dict[str, set[str]]:
    """Every package that is installed with this one, and which of those each asks for itself."""
    found: dict[str, set[str]] = {}
    waiting = [(canonicalize_name(package), frozenset[str]())]
    done = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        for asked in needed(name, extras):
            other = canonicalize_name(asked.name)
            found.setdefault(name, set()).add(other)
            found.setdefault(other, set())
            if (next_one := (other, frozenset(asked.extras))) not in done:
                done.add(next_one)
                waiting.append(next_one)
    return found


def component(name: str, version: str) -> Component:
    """One package, named as the Python package index names it."""
    made = Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{name}=={version}",
        purl=PackageURL("pypi", name=name, version=version),
    )
    if (licence := licence_of(name)) is not None:
        made.licenses.add(licence)
    return made


def licence_of(name: str) -> License | None:
    """What the package says of its licence in a line; older ones put the whole text there, or nothing."""
    said = metadata(name).json
    text = str(said.get("license_expression") or said.get("license") or "")
    if not text or "\n" in text or len(text) > 64:
        classified = [one.rpartition(" :: ")[2] for one in said.get("classifier", []) if one.startswith("License ::")]
        text = " and ".join(sorted(classified))
    return LicenseFactory().make_from_string(text) if text else None


def drawn() -> str:
    """The document."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = versions((ROOT / "constraints.txt").read_text())
    product = Component(name=PRODUCT, version=project["version"], type=ComponentType.APPLICATION, bom_ref=PRODUCT)
    product.licenses.add(LicenseFactory().make_from_string(project["license"]))
    tree = closure(PRODUCT)
    parts = {name: component(name, pinned[name]) for name in tree if name != PRODUCT} | {PRODUCT: product}
    bom = Bom(components=[part for name, part in parts.items() if name != PRODUCT])
    bom.metadata.component = product
    for name, asked in tree.items():
        bom.register_dependency(parts[name], [parts[other] for other in sorted(asked)])
    told = ";".join(sorted(f"{name}=={part.version}" for name, part in parts.items()))
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, told)
    said = json.loads(JsonV1Dot6(bom).output_as_string())
    del said["metadata"]["timestamp"]
    return json.dumps(said, indent=2, sort_keys=True) + "\n"


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the file is stale.")
def main(check: bool) -> None:
    text = drawn()
    if FILE.is_file() and FILE.read_text() == text:
        return
    if check:
        click.echo("docs/sbom.cdx.json is stale: run tools/draw_sbom.py", err=True)
        sys.exit(1)
    FILE.write_text(text)
    click.echo("docs/sbom.cdx.json drawn")


if __name__ == "__main__":
    main()
