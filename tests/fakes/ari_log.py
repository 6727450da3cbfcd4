"""An ARI log without thread and disk, which keeps the lines that the real one would write."""

import json
from pathlib import Path
from typing import Any

from c2c_stasis.arilog import AriLog, Settings
from c2c_stasis.arilog.log import _Item, _Pen

SETTINGS = Settings(Path("nowhere"), "c2c", 1)


class KeptLog(AriLog):
    """Adds to `lines`, as they would be read back; numbers are masked."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        super().__init__()
        self.on = True
        self.lines = lines
        self._writer = _Pen(SETTINGS, 1)  # never started

    def _put(self, item: _Item) -> None:
        self.lines += [json.loads(line) for line in self._writer._made(item(self._writer))]
