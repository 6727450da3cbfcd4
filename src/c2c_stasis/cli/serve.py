"""`c2c-stasis serve` runs the service; `c2c-stasis migrate` brings its database to this version."""

import asyncio
from pathlib import Path

import click

from c2c_stasis.cli.reporting import config_option, load_config, reporting


@click.command()
@config_option
def serve(path: Path) -> None:
    """Run the service until SIGTERM or SIGINT; SIGHUP lets it read the configuration again.

    Live calls go on in Asterisk and are taken over by the next start.
    """
    with reporting():
        config = load_config(path)
        from c2c_stasis import app  # aiohttp and the database are not needed to find a mistake in the file

        asyncio.run(app.serve(config, lambda: load_config(path)))


@click.command()
@config_option
def migrate(path: Path) -> None:
    """Bring the database to this version; make a backup first."""
    with reporting():
        config = load_config(path)
        from c2c_stasis.store.sql_store import open_store

        async def run() -> None:
            store = await open_store(config.database.url, migrate=True)
            await store.close()

        asyncio.run(run())
    click.echo("the database is that of this version")
