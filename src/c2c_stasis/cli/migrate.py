"""`c2c-stasis migrate`: brings the database to this version, with a copy of what it was."""

import json
from pathlib import Path

import click

from c2c_stasis.cli.reporting import config_option, database_of, database_option, reporting


@click.command()
@config_option
@database_option
@click.option("--no-backup", is_flag=True, help="Make no copy first; you have one already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def migrate(path: Path, database: str | None, no_backup: bool, as_json: bool) -> None:
    """Bring the database to this version, and say what was done.

    What has to be changed is copied first, beside the database. Stop the service before: live calls go on in Asterisk, and the
    next start takes them over. A database that a newer version made is refused, and so is one that is in use.
    """
    with reporting():
        from c2c_stasis.store.migrating import migrate as run

        done = run(database_of(path, database), with_backup=not no_backup)
    if as_json:
        facts = {"database": str(done.file), "before": done.before, "after": done.after}
        click.echo(json.dumps(facts | {"backup": str(done.backup) if done.backup else None}))
    elif done.before == done.after:
        click.echo(f"{done.file}: is that of this version ({done.after}) already; nothing was changed")
    elif done.before is None:
        click.echo(f"{done.file}: the tables of this version ({done.after}) were made")
    else:
        click.echo(f"{done.file}: brought from {done.before} to {done.after}")
        click.echo(f"what it was is kept: {done.backup}" if done.backup else "no copy of what it was is kept")
