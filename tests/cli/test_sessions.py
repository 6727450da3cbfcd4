"""`sessions end`, beside a running service."""

import asyncio
from pathlib import Path

from click.testing import CliRunner, Result

from c2c_stasis.cli import main
from c2c_stasis.ids import CALL, new_id
from tests.api.resources.office import Office


async def end(file: Path, *options: str, answer: str = "") -> Result:
    """In a thread, for the service beside it shall run on."""
    return await asyncio.to_thread(
        CliRunner().invoke, main, ["sessions", "end", "--database", str(file), *options], input=answer
    )


async def opens(office: Office, token: str) -> bool:
    return (await office.ask("GET", f"/v1/calls/{new_id(CALL)}", key=token))[0] == 404


async def test_every_session_ends_once_it_was_meant(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "c2c.db"
    tokens = [
        (await office.make("/v1/user_sessions", user=office.user.id))["client_secret"],
        (await office.make("/v1/account_sessions", account=office.account.id))["client_secret"],
    ]
    assert (await end(file, answer="n\n")).exit_code == 1
    await office.service.refresh_directory()
    assert [await opens(office, token) for token in tokens] == [True, True]
    result = await end(file, "--yes")
    assert (result.exit_code, result.output) == (0, "every session has ended; new ones are signed with a new key\n")
    await office.service.refresh_directory()  # as who follows the directory does within a second
    assert [await opens(office, token) for token in tokens] == [False, False]
    assert await opens(office, (await office.make("/v1/user_sessions", user=office.user.id))["client_secret"])


async def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = await end(tmp_path / "none.db", "--yes")
    assert result.exit_code == 69
    assert not (tmp_path / "none.db").exists()
