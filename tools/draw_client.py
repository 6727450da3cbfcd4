"""Writes the blocking client from the asynchronous one: the same code without `async` and `await`.

`transport.py`, where the two differ, is written by hand in both. With `--check` it writes nothing and exits 1 when a file is
stale.
"""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src/c2c_stasis/client"
FROM, TO = PACKAGE / "asynchronous", PACKAGE / "synchronous"
BY_HAND = ("__init__.py", "transport.py")
NOTE = "# Drawn from ../asynchronous/{name} by tools/draw_client.py; change it there.\n"

WORDS = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(Iterator|Client)\b", r"\1"),
    (r"\bAsyncGenerator\[(.*), None\]", r"Generator[\1, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\baclosing\b", "closing"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\basynchronous\b", "synchronous"),
)


def drawn(source: Path) -> str:
    """The blocking form of one file."""
    text = source.read_text()
    for pattern, replacement in WORDS:
        text = re.sub(pattern, replacement, text)
    text = NOTE.format(name=source.name) + text
    return _ruff("format", "-", text=_ruff("check", "--select", "I", "--fix", "--quiet", "-", text=text))


def _ruff(*words: str, text: str) -> str:
    command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(TO / "drawn.py")]
    return subprocess.run(
        command, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout


def main() -> int:
    """Write, or compare."""
    files = {TO / source.name: drawn(source) for source in FROM.glob("*.py") if source.name not in BY_HAND}
    stale = [file for file, text in files.items() if not file.exists() or file.read_text() != text]
    if "--check" in sys.argv:
        for file in stale:
            print(f"{file} is stale: tools/draw_client.py")
        return 1 if stale else 0
    for file in stale:
        file.write_text(files[file])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
