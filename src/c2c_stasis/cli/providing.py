"""Carries out what `init` is asked for: the file and the database, both or neither."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from c2c_stasis.cli import config_file
from c2c_stasis.cli.bootstrap import Outcome, Plan, Wishes
from c2c_stasis.cli.config_file import ARI_PASSWORD_VARIABLE, ASTERISK_PASSWORD_FILE, Settings
from c2c_stasis.cli.init_story import Done
from c2c_stasis.config import Config, load_with_origins
from c2c_stasis.directory.model import DirectoryRows
from c2c_stasis.store.migrating import migrate
from c2c_stasis.store.sql_store import open_store
from c2c_stasis.store.sqlite import database_file, parse_url

_FROM_STANDARD_INPUT = "-"


def provide(path: Path, settings: Settings, wishes: Wishes, asterisk_etc: Path, *, force: bool) -> Done:
    if path.exists() and not force:
        loaded = load_with_origins(path, os.environ)
        config = loaded.config
        if different := config_file.differences(config, path, _with_typed_password(settings)):
            options = ", ".join(different)
            raise click.UsageError(
                f"{path} is there and says otherwise than {options}. Edit it, or write it anew with --force."
            )
        outcome = asyncio.run(_provide(config, wishes))
        return Done(path, config, False, outcome, config_file.variables_of(loaded))
    settings = _with_password(settings, asterisk_etc)
    with config_file.drafted(path, settings, replace=force) as draft:
        # The file appears when the database is right, and the key is made when the file is there: whatever is
        # interrupted, the same command completes it.
        outcome = asyncio.run(_provide(draft.config, wishes, before_key=draft.keep))
        return Done(path, draft.config, True, outcome, draft.variables, holds_password=bool(settings.ari_password))


async def _provide(config: Config, wishes: Wishes, before_key: Callable[[], None] = lambda: None) -> Outcome:
    trunks = {trunk.pjsip_endpoint for trunk in config.trunks}
    if not database_file(parse_url(config.database.url)).exists():
        Plan(DirectoryRows(), wishes, trunks)  # what is refused leaves no empty database behind
    await asyncio.to_thread(migrate, config.database.url)  # one of an older version is copied first
    store = await open_store(config.database.url)
    try:
        outcome = await Plan(await store.directory(), wishes, trunks).carry_out(store)
        before_key()
        if outcome.needs_key:
            outcome.key, _ = await store.create_key(outcome.platform.id)
            outcome.created.append("key")
        return outcome
    finally:
        await store.close()


def _with_typed_password(settings: Settings) -> Settings:
    if settings.ari_password != _FROM_STANDARD_INPUT:
        return settings
    return _replaced(settings, sys.stdin.readline().rstrip("\r\n"))


def _with_password(settings: Settings, asterisk_etc: Path) -> Settings:
    """The settings with a password from the first place that has one. Raises `UsageError` when none has."""
    if settings.ari_password is not None:
        return _with_typed_password(settings)
    if os.environ.get(ARI_PASSWORD_VARIABLE):
        return settings
    if (found := config_file.asterisk_password(asterisk_etc)) is not None:
        return _replaced(settings, found)
    if sys.stdin.isatty():
        return _replaced(settings, click.prompt("Password of the ARI user", hide_input=True, err=True))
    raise click.UsageError(
        f"the ARI password is not known: give --ari-password, set {ARI_PASSWORD_VARIABLE}, or run as a user who may read"
        f" {asterisk_etc / ASTERISK_PASSWORD_FILE}."
    )


def _replaced(settings: Settings, password: str) -> Settings:
    return replace(settings, ari_password=password)
