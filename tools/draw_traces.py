"""Draws the two pictures of docs/trace.md, and the ladder in its text, from the ARI logs in tests/trace/recordings.

With `--check` it writes nothing and exits 1 when one of them is stale. `--take NAME LOG CALL_ID` only makes the log of a
picture anew, from that of a service beside the demo's Asterisk; docs/trace.md tells which calls they are.
"""

import json
import re
import sys
from pathlib import Path

import click

from c2c_stasis.arilog.files import log_files
from c2c_stasis.arilog.reading import lines_of_call
from c2c_stasis.trace import from_log, svg, terminal
from c2c_stasis.trace.ladder import Ladder

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RECORDINGS = ROOT / "tests" / "trace" / "recordings"
WHERE = "/var/lib/c2c-stasis/ari-log"  # as the document calls the folder
PICTURES = ("answered", "failed")
IN_TEXT = "answered"
_BLOCK = re.compile(r"(?<=\n```\n)call_.*?(?=```\n)", re.DOTALL)


def ladder(name: str) -> Ladder:
    """The ladder of a recorded call."""
    file = RECORDINGS / f"{name}.jsonl"
    call_id = next(line["call"] for line in map(json.loads, file.read_text().splitlines()) if "call" in line)
    return from_log.ladder(call_id, lines_of_call([file], call_id, warn=_refuse), WHERE)


def drawn() -> dict[Path, str]:
    """What should stand in each file."""
    pictures = {DOCS / f"trace-{name}.svg": svg.picture(ladder(name)) for name in PICTURES}
    text = "".join(f"{click.unstyle(line).rstrip()}\n" for line in terminal.lines(ladder(IN_TEXT)))
    page = DOCS / "trace.md"
    return {**pictures, page: _BLOCK.sub(lambda _: text, page.read_text(), count=1)}


def take(name: str, log: Path, call_id: str) -> None:
    """Keep what a log says of a call; the long answers of Asterisk draw nothing."""
    lines = [line for path in log_files(log) for line in map(json.loads, path.read_text().splitlines())]
    head = next(line for line in lines if line["kind"] == "log")
    kept = [{key: line[key] for key in line if key != "answer"} for line in lines if call_id in str(line)]
    RECORDINGS.mkdir(exist_ok=True)
    text = "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in [head, *kept])
    (RECORDINGS / f"{name}.jsonl").write_text(text)


def _refuse(why: str) -> None:
    raise ValueError(why)


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file is stale.")
@click.option("--take", "taken", nargs=3, metavar="NAME LOG CALL_ID", help="Make the log of a picture anew.")
def main(check: bool, taken: tuple[str, str, str] | None) -> None:
    if taken is not None:
        name, log, call_id = taken
        take(name, Path(log), call_id)
        return
    stale = {file: text for file, text in drawn().items() if not file.is_file() or file.read_text() != text}
    for file, text in stale.items():
        if check:
            click.echo(f"{file.relative_to(ROOT)} is stale: run tools/draw_traces.py", err=True)
        else:
            file.write_text(text)
            click.echo(f"{file.relative_to(ROOT)} drawn")
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
