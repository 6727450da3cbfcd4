"""`c2c-stasis serve` runs the service."""

import errno
from pathlib import Path

import click

from c2c_stasis.cli.reporting import EX_CONFIG, EX_TAKEN, config_option, load_config, reporting, tell_where_from

_WHY = {errno.EADDRINUSE: "is taken by another program", errno.EADDRNOTAVAIL: "is no address of this machine"}


@click.command()
@config_option
def serve(path: Path) -> None:
    """Run the service until SIGTERM or Ctrl-C.

    Live calls go on in Asterisk then, and the next start takes them over; or they are waited for, if [service] on_stop says so.
    A second signal ends it at once. SIGHUP lets it read the configuration again.
    It ends by itself, with status 75, when another service takes its Stasis application.
    """
    tell_where_from(path)
    with reporting():
        config = load_config(path)
        from c2c_stasis import app  # aiohttp and the database are not needed to find a mistake in the file
        from c2c_stasis.api.tls import CertificateNotUsable
        from c2c_stasis.ari.connection import AppTaken

        try:
            app.run(config, lambda: load_config(path))
        except AppTaken as error:
            click.echo(f"c2c-stasis: {error}", err=True)
            raise SystemExit(EX_TAKEN) from error
        except CertificateNotUsable as error:
            click.echo(f"c2c-stasis: {error}: correct [http] tls_certificate and tls_key in {path}", err=True)
            raise SystemExit(EX_CONFIG) from error
        except app.CannotListen as error:
            why = _WHY.get(error.errno or 0, f"cannot be listened at: {error.strerror}")
            raise OSError(f"{error.listen} {why}: change {error.key} in {path}") from error
