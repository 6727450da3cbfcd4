"""Whether the tables are the ones this version works with. How they become so is in `store/upgrading.py`.

Nothing of Alembic is needed to look: it takes a quarter of a second to import, and a restart has two.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from c2c_stasis.store.errors import SchemaNotCurrent
from c2c_stasis.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


def known() -> list[str]:
    """The revisions that this version knows, oldest first: each migration's file begins with its own, `r0001_…`."""
    return sorted(file.name[1:].partition("_")[0] for file in (MIGRATIONS / "versions").glob("r*.py"))


def head() -> str:
    """The revision of the tables that this version works with."""
    return known()[-1]


def revisions(connection: Connection, file: Path) -> tuple[str | None, str]:
    """The revision of the tables, None when there are none, and the one of this version.

    Raises `SchemaNotCurrent` for what a newer version, or something else, has made.
    """
    return require_known(connection, file), head()


def require_current(connection: Connection, file: Path) -> None:
    """Raise `SchemaNotCurrent` when the tables are missing, older, newer or incomplete; it names what to do."""
    present = require_known(connection, file)
    if present is None:
        raise SchemaNotCurrent(f"{file}: has no tables yet; run `c2c-stasis init`")
    if present != head():
        raise SchemaNotCurrent(
            f"{file}: the tables are those of an older version; run `c2c-stasis migrate`, which makes a backup first"
        )
    if missing := metadata.tables.keys() - set(inspect(connection).get_table_names()):
        raise SchemaNotCurrent(f"{file}: tables are missing: {', '.join(sorted(missing))}; restore a backup")


def require_known(connection: Connection, file: Path) -> str | None:
    """The revision of the tables, None when there are none. Raises `SchemaNotCurrent` for what somebody else has made."""
    tables = set(inspect(connection).get_table_names())
    present: list[str] = []
    if VERSION_TABLE in tables:
        present = list(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars())  # noqa: S608  # ours
    if not present and tables - {VERSION_TABLE}:
        raise SchemaNotCurrent(
            "the database has tables that c2c-stasis did not complete, or did not make; name another file"
        )
    for revision in present:
        if revision not in known():
            raise SchemaNotCurrent(
                f"{file}: was made by a newer c2c-stasis (revision {revision}); install that version"
            )
    return max(present, default=None)
