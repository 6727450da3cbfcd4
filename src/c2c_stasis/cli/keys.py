"""`c2c-stasis keys`: the credentials of the platform."""

from typing import Any

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_platform
from c2c_stasis.cli.names import key_named
from c2c_stasis.cli.remote import Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record

_COLUMNS: tuple[Column, ...] = (
    ("ID", "id"),
    ("BEGINS", "hint"),
    ("FOR", lambda key: "calls" if key["livemode"] else "tests"),
    ("STATUS", "status"),
    ("CREATED", "created_at"),
    ("LAST USED", "last_used_at"),
    ("EXPIRES", "expires_at"),
    ("FROM", lambda key: ", ".join(key["networks"])),
    ("REVOKED", "revoked_at"),
)


@click.group(epilog=EXIT_STATUS)
def keys() -> None:
    """Keys of the platform. A key can be seen once, when it is made."""


@keys.command("list", epilog=EXIT_STATUS)
@for_platform
def list_keys(remote: Remote) -> None:
    """List all keys, newest first, revoked ones included."""
    print_list(remote, remote.every("keys"), _COLUMNS, "there is no key")


@keys.command("create", epilog=EXIT_STATUS)
@for_platform
@click.option("--live/--test", "livemode", default=None, help="For calls or for tests.  [as the key that asks]")
@click.option(
    "--from", "networks", metavar="NETWORK", multiple=True, help="Where it may be used; several times for several."
)
def create_key(remote: Remote, livemode: bool | None, networks: tuple[str, ...]) -> None:
    """Make a key. It is shown now and never again."""
    body: dict[str, Any] = {} if livemode is None else {"livemode": livemode}
    body |= {"networks": list(networks)} if networks else {}
    print_record(remote, remote.post("keys", body=body))
    click.echo("The secret is shown this once and cannot be read again: keep it safe.", err=True)


@keys.command("show", epilog=EXIT_STATUS)
@for_platform
@click.argument("key")
def show_key(remote: Remote, key: str) -> None:
    """Show what is known of a key, by id or by how it begins."""
    print_record(remote, remote.get("keys", key_named(remote, key)))


@keys.command("rotate", epilog=EXIT_STATUS)
@for_platform
@click.argument("key")
@click.option(
    "--overlap",
    "seconds",
    type=click.IntRange(0, 2_592_000),
    default=86_400,
    show_default=True,
    help="Seconds for which the old key still works.",
)
def rotate_key(remote: Remote, key: str, seconds: int) -> None:
    """Make a key in the place of another one, by id or by how it begins. It is shown now and never again.

    Give it to whoever uses the old key before that expires.
    """
    body = {"overlap_seconds": seconds}
    print_record(remote, remote.post("keys", key_named(remote, key), "rotate", body=body))
    click.echo("The secret is shown this once and cannot be read again: keep it safe.", err=True)


@keys.command("delete", epilog=EXIT_STATUS)
@for_platform
@click.argument("key")
def delete_key(remote: Remote, key: str) -> None:
    """Revoke a key, by id or by how it begins. It and the sessions it opened open nothing from now on; it stays in the list."""
    key_id = key_named(remote, key)
    remote.delete("keys", key_id)
    print_deleted(remote, "key", key_id)
