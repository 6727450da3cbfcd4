"""Asks an advisory service, OSV, about every package of constraints.txt: does it have a known flaw? It needs the network.

Ends with 1 when there is a flaw, and with 3 when it could not be asked, which is told plainly: nothing was audited then.
With `--if-reachable` that is told and no failure.
"""

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[1]
OSV = "https://api.osv.dev/v1/query"
FLAWED, NOBODY_TO_ASK = 1, 3
_PROBED_WITH = "aiohttp"  # any package; what is answered does not matter
_TIMEOUT = 5.0  # seconds; an audit of everything takes longer than to learn that nobody is there

Json = dict[str, Any]


def asked(url: str, question: Json | None = None) -> Json:
    """The JSON object that a service answers. Raises `OSError` and `ValueError` for anything else."""
    data = json.dumps(question).encode() if question else None
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310 # whoever runs this chooses the address
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
        found = json.load(answer)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def why_not(url: str, version: str) -> str:
    """Nothing when the service answers a question, else why it cannot be asked."""
    try:
        asked(url, {"version": version, "package": {"name": _PROBED_WITH, "ecosystem": "PyPI"}})
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__
    return ""


def report_of(osv_url: str, constraints: Path) -> Json:
    """What pip-audit finds. Raises `CalledProcessError` when it comes to no end."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(constraints), "--no-deps", "--disable-pip"]
        command += ["--progress-spinner=off", "--format=json", "--output", str(report)]
        command += ["--vulnerability-service", "osv", "--osv-url", osv_url, "--cache-dir", folder]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if not report.is_file():
            raise subprocess.CalledProcessError(done.returncode, "pip-audit", done.stdout, done.stderr)
        found: Json = json.loads(report.read_text())
        return found


def told(report: Json) -> tuple[int, list[str]]:
    """The status to end with, and the lines to print."""
    packages = report["dependencies"]
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    flaws = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in packages
        for flaw in one.get("vulns", [])
    ]
    lines = [f"{len(packages) - len(skipped)} packages audited, {len(flaws)} known flaws", *flaws]
    if skipped:
        lines.append(f"not audited, for the service does not know them: {', '.join(skipped)}")
    if flaws:
        return FLAWED, lines
    return (NOBODY_TO_ASK if len(skipped) == len(packages) else 0), lines


@click.command(help=__doc__)
@click.option("--if-reachable", is_flag=True, help="End with 0 when the service is not reachable.")
@click.option("--osv-url", default=OSV, help="Where OSV, or a copy of it, answers.")
@click.option("--constraints", type=Path, default=ROOT / "constraints.txt", help="The packages.")
def main(if_reachable: bool, osv_url: str, constraints: Path) -> None:
    pinned = dict(line.split("==", 1) for line in constraints.read_text().splitlines() if "==" in line)
    if reason := why_not(osv_url, pinned[_PROBED_WITH]):
        click.echo(f"the advisory service is not reachable, so NOTHING WAS AUDITED ({reason})", err=True)
        sys.exit(0 if if_reachable else NOBODY_TO_ASK)
    status, lines = told(report_of(osv_url, constraints))
    click.echo("\n".join(lines), err=status != 0)
    sys.exit(status)


if __name__ == "__main__":
    main()
