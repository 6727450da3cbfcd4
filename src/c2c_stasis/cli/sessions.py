"""`c2c-stasis sessions`: what to do when the database, or a backup of it, got into wrong hands."""

import asyncio
from pathlib import Path

import click

from c2c_stasis.cli.reporting import config_option, database_of, database_option, reporting


@click.group()
def sessions() -> None:
    """Sessions that servers opened for browsers."""


@sessions.command()
@config_option
@database_option
@click.confirmation_option("--yes", prompt="Every session of every account ends. Go on?", help="Do not ask.")
def end(path: Path, database: str | None) -> None:
    """End every session of every account.

    What they are signed with is forgotten: for when somebody else may have read the database or a backup, and after a backup
    was restored, which knows nothing of what was revoked since. A running service follows within a second. Calls go on;
    browsers ask their server for a new session.
    """
    with reporting():
        asyncio.run(_forget(database_of(path, database)))
    click.echo("every session has ended; new ones are signed with a new key")


async def _forget(url: str) -> None:
    from c2c_stasis.store.sql_store import open_store

    store = await open_store(url)
    try:
        await store.forget_signing_keys()
    finally:
        await store.close()
