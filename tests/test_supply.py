"""What the service is installed with is told, and known flaws of it are asked for; when nobody can be asked, that is told."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from aiohttp import web
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from c2c_stasis.directory.keys import FORM, new_key, well_formed

ROOT = Path(__file__).parents[1]
BOM = json.loads((ROOT / "docs" / "sbom.cdx.json").read_text())
CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def test_the_bill_of_materials_is_cyclonedx_and_names_no_moment() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(BOM)) is None
    assert "timestamp" not in BOM["metadata"]


def test_the_versions_are_those_that_everything_is_tested_with() -> None:
    assert len(BOM["components"]) > 30
    for part in BOM["components"]:
        assert (
            f"\n{part['name'].replace('-', '_')}=={part['version']}\n".lower() in CONSTRAINTS.replace("-", "_").lower()
        )
        assert part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}"


def test_whatever_the_service_imports_is_in_it() -> None:
    named = {part["name"] for part in BOM["components"]}
    sources = (ROOT / "src").rglob("*.py")
    words = {
        line.split()[1].partition(".")[0] for path in sources for line in path.read_text().splitlines() if imports(line)
    }
    found = packages_distributions()
    packages = {canonicalize_name(found[word][0]) for word in words if word in found} - {"c2c-stasis"}
    assert {"aiohttp", "sqlalchemy", "pyjwt"} <= packages
    assert packages <= named


def imports(line: str) -> bool:
    return line.startswith(("import ", "from "))


def keys_in(text: str) -> list[str]:
    return [match[0] for match in FORM.finditer(text) if well_formed(match[0])]


def test_no_file_of_the_repository_holds_a_key_that_could_be_one() -> None:
    """Keys have a checksum so that this can be told; those of tests and documents have a wrong one."""
    assert keys_in(f"key = {(key := new_key(livemode=True))!r}") == [key]
    folders = ("src", "tests", "docs", "tools", "bench", "docker", "asterisk")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")] + list(ROOT.glob("*.*"))
    texts = {path: path.read_bytes().decode(errors="replace") for path in files if path.is_file()}
    assert len(texts) > 500
    assert {path: found for path, text in texts.items() if (found := keys_in(text))} == {}


# --- known flaws ---


class Advisories:
    """A service that tells of flaws, in the way of OSV."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def query(self, request: web.Request) -> web.Response:
        name = (await request.json())["package"]["name"]
        self.asked.append(name)
        if name != "flawed":
            return web.json_response({})
        events = [{"introduced": "0"}, {"fixed": "1.0.1"}]
        affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        flaw = {"id": "PYSEC-2026-1", "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z"}
        return web.json_response(
            {"vulns": [flaw | {"summary": "all is lost", "details": "all", "affected": [affected]}]}
        )


@pytest.fixture
async def advisories() -> AsyncIterator[Advisories]:
    service = Advisories()
    app = web.Application()
    app.router.add_post("/v1/query", service.query)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


async def audit(folder: Path, packages: str, osv: str, *more: str) -> tuple[int, str]:
    """Status and words of an audit of these packages, with advisories from nowhere else."""
    constraints = folder / "constraints.txt"
    constraints.write_text(f"aiohttp==3.14.5\n{packages}")
    command = [str(ROOT / "tools" / "audit.py"), "--constraints", str(constraints), *more]
    command += ["--osv-url", osv]
    running = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await running.communicate()
    assert running.returncode is not None
    return running.returncode, said.decode()


async def test_a_known_flaw_is_told_and_fails(advisories: Advisories, tmp_path: Path) -> None:
    status, said = await audit(tmp_path, "flawed==1.0.0\n", advisories.url + "/v1/query")
    assert (status, said) == (
        1,
        "2 packages audited, 1 known flaws\nflawed 1.0.0: PYSEC-2026-1, mended in 1.0.1\n",
    )
    assert set(advisories.asked) == {"aiohttp", "flawed"}


async def test_without_flaws_it_ends_well(advisories: Advisories, tmp_path: Path) -> None:
    status, said = await audit(tmp_path, "", advisories.url + "/v1/query")
    assert (status, said) == (0, "1 packages audited, 0 known flaws\n")


@pytest.mark.parametrize(("more", "ends"), [((), 3), (("--if-reachable",), 0)])
async def test_when_nobody_can_be_asked_that_is_told_and_never_taken_for_harmless(
    tmp_path: Path, more: tuple[str, ...], ends: int
) -> None:
    status, said = await audit(tmp_path, "flawed==1.0.0\n", "http://127.0.0.1:1/", *more)
    assert status == ends
    assert "NOTHING WAS AUDITED (" in said
