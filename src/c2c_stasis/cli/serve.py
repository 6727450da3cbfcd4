"""`c2c-stasis serve` runs the service."""

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

        app.run(config, lambda: load_config(path))
