"""Commands as a person types them, while the service runs beside."""

import asyncio
import json
from typing import Any

from click.testing import CliRunner, Result

from c2c_stasis.cli import main

OK, REFUSED, USAGE, NOT_THERE, NOT_ACCEPTED, WRONG_CONFIG = 0, 1, 2, 69, 77, 78


class Line:
    """Runs commands in a thread: they block, and the service answers in this one."""

    async def run(self, *words: str) -> Result:
        """What a command did."""
        result = await asyncio.to_thread(CliRunner().invoke, main, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    async def says(self, *words: str) -> str:
        """What a command that must succeed prints."""
        result = await self.run(*words)
        assert result.exit_code == OK, result.output
        return result.stdout

    async def json(self, *words: str) -> Any:
        """What a command that must succeed prints for programs."""
        return json.loads(await self.says(*words, "--json"))

    async def fails(self, status: int, *words: str) -> str:
        """What a command that must fail so says."""
        result = await self.run(*words)
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result.stderr
