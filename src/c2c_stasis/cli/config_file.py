"""The configuration file that `init` writes: checked before it appears, whole or not there, never over another one."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from c2c_stasis.config import Config, ConfigError, Loaded, Source, load_with_origins, template

ARI_PASSWORD_VARIABLE = "C2C_ARI__PASSWORD"  # noqa: S105 # the name of a variable
ASTERISK_PASSWORD_FILE = "ari-password.conf"  # noqa: S105 # what the shipped ari.conf includes

_DEFAULT_LISTEN = "127.0.0.1:8080"
_DEFAULT_ARI_URL = "http://127.0.0.1:8088"
_DEFAULT_NAME = "c2c-stasis"  # of the ARI user and of the Stasis application, as in the shipped ari.conf

_VARIABLE_OF_SETTING = {  # what is no secret is written down, so that the file stands for itself
    "listen": "C2C_HTTP__LISTEN",
    "ari_url": "C2C_ARI__URL",
    "ari_username": "C2C_ARI__USERNAME",
    "ari_app": "C2C_ARI__APP",
    "database": "C2C_DATABASE__URL",
    "trunk": "C2C_TRUNKS__0__ENDPOINT",
}
_OPTION_OF_KEY = {
    "http.listen": "--listen",
    "ari.url": "--ari-url",
    "ari.username": "--ari-username",
    "ari.password": "--ari-password",
    "ari.app": "--ari-app",
    "database.url": "--database",
    "trunks[0].endpoint": "--trunk",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options say about the file; None is what was not said."""

    listen: str | None = None
    ari_url: str | None = None
    ari_username: str | None = None
    ari_password: str | None = None
    ari_app: str | None = None
    database: str | None = None
    trunk: str | None = None


class Draft:
    """A file that is written and checked, and put in its place with `keep`."""

    def __init__(self, path: Path, unfinished: Path, loaded: Loaded, *, replace: bool) -> None:
        self.config = loaded.config
        self.variables = variables_of(loaded)
        self._path = path
        self._unfinished = unfinished
        self._replace = replace

    def keep(self) -> None:
        """Let the file appear. Raises `FileExistsError` when somebody else made one meanwhile."""
        if self._replace:
            self._unfinished.replace(self._path)
        else:
            os.link(self._unfinished, self._path)


def variables_of(loaded: Loaded) -> tuple[str, ...]:
    """The variables of the environment that count before the file."""
    return tuple(sorted(one.where for one in loaded.origins.values() if one.source is Source.ENVIRONMENT))


@contextmanager
def drafted(path: Path, settings: Settings, *, replace: bool) -> Iterator[Draft]:
    """Write the file beside its place, for its owner alone; without `keep` nothing of it stays."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise click.UsageError(f"{folder} is no folder: make it first, or name another file with --config.")
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)  # mode 0600: it holds the password
    unfinished = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(_text(path, settings))
            file.flush()
            os.fsync(file.fileno())
        yield Draft(path, unfinished, _checked(unfinished), replace=replace)
    finally:
        unfinished.unlink(missing_ok=True)


def differences(config: Config, path: Path, settings: Settings) -> list[str]:
    """The options that contradict a file that is there already."""
    trunk = config.trunks[0].endpoint if config.trunks else None
    pairs = [
        ("--listen", settings.listen, str(config.http.listen)),
        ("--ari-url", settings.ari_url and settings.ari_url.rstrip("/").removesuffix("/ari"), config.ari.url),
        ("--ari-username", settings.ari_username, config.ari.username),
        ("--ari-password", settings.ari_password, config.ari.password),
        ("--ari-app", settings.ari_app, config.ari.app),
        ("--database", settings.database and database_url(path, settings.database), config.database.url),
        ("--trunk", settings.trunk and _trunk_endpoint(settings.trunk), trunk),
    ]
    return [option for option, wanted, there in pairs if wanted is not None and wanted != there]


def asterisk_password(folder: Path) -> str | None:
    """The ARI password in the folder of Asterisk's configuration, if it is there and we may read it."""
    try:
        text = (folder / ASTERISK_PASSWORD_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = re.search(r"^\s*password\s*=>?\s*(\S+)", text, re.MULTILINE)
    return found[1] if found else None


def database_url(path: Path, database: str | None) -> str:
    """The URL of a file or URL; by default the file is beside the configuration, wherever the service is started from."""
    if database is not None and "://" in database:
        return database.replace("sqlite://", "sqlite+aiosqlite://", 1)
    return f"sqlite+aiosqlite:///{(path.absolute().parent / (database or 'c2c.db')).resolve()}"


def _trunk_endpoint(trunk: str) -> str:
    return trunk if "/" in trunk else f"PJSIP/{{number}}@{trunk}"


def _text(path: Path, settings: Settings) -> str:
    given = {name: os.environ.get(variable) or None for name, variable in _VARIABLE_OF_SETTING.items()}
    settings = replace(settings, **{name: text for name, text in given.items() if getattr(settings, name) is None})
    return template(
        listen=settings.listen or _DEFAULT_LISTEN,
        ari_url=settings.ari_url or _DEFAULT_ARI_URL,
        ari_username=settings.ari_username or _DEFAULT_NAME,
        ari_password=settings.ari_password or "",
        ari_app=settings.ari_app or _DEFAULT_NAME,
        database_url=database_url(path, settings.database),
        trunk_endpoint=_trunk_endpoint(settings.trunk) if settings.trunk else None,
    )


def _checked(unfinished: Path) -> Loaded:
    """The draft as the service would read it; what is wrong with it is told by the option that said so."""
    try:
        return load_with_origins(unfinished, os.environ)
    except ConfigError as error:
        if any(problem.where == "environment" for problem in error.problems):
            raise
        told = [f"{_OPTION_OF_KEY.get(item.key, item.key)} {item.what}. {item.fix}." for item in error.problems]
        raise click.UsageError("\n".join(told)) from error
