"""`c2c-stasis backup` copies the database while the service writes; `c2c-stasis restore` puts a copy in its place."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from c2c_stasis.cli.reporting import config_option, database_of, database_option, reporting

if TYPE_CHECKING:
    from c2c_stasis.store.backup import Contents

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@config_option
@database_option
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def backup(file: Path, path: Path, database: str | None, force: bool, as_json: bool) -> None:
    """Copy the database to FILE, while the service runs or not.

    The copy is that of one moment: every call that was accepted before is in it, whole. It is checked before FILE appears, and
    only you can read it: it holds names and numbers. The configuration is not in it.
    """
    with reporting():
        from c2c_stasis.store.backup import backup as run
        from c2c_stasis.store.errors import FileInTheWay

        try:
            contents = run(database_of(path, database), file, force=force)
        except FileInTheWay as error:
            raise click.UsageError(f"{error}. Name another file, or overwrite it with --force.") from error
    if as_json:
        click.echo(json.dumps({"file": str(file.absolute()), **asdict(contents)}))
    else:
        click.echo(f"{file}: {_told(contents)}; checked")


@click.command()
@click.argument("file", type=_FILE)
@config_option
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def restore(file: Path, path: Path, database: str | None, as_json: bool) -> None:
    """Put a copy of the backup FILE in the place of the database.

    What was there is kept beside it. The backup is checked first. While a service uses the database this is refused. Calls
    that were live when the backup was taken are settled by the next start of the service.
    """
    with reporting():
        from c2c_stasis.store.backup import restore as run

        url = database_of(path, database)
        done = run(file, url)
    kept = str(done.kept) if done.kept else None
    if as_json:
        click.echo(json.dumps({"database": url, "kept": kept, **asdict(done.contents)}))
        return
    click.echo(f"{file}: {_told(done.contents)}; checked, and restored")
    if kept:
        click.echo(f"what was there is kept: {kept}")
    if not done.contents.current:
        click.echo("the backup is that of an older version: run c2c-stasis migrate before you start the service")


def _told(contents: "Contents") -> str:
    live = f" ({contents.live_calls} live)" if contents.live_calls else ""
    return f"{contents.calls} calls{live}, {contents.events} events, {contents.size / 1e6:.1f} MB"
