"""`c2c-stasis accounts`: the customers of the platform."""

import json
from typing import Any

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_platform
from c2c_stasis.cli.names import account_named, number_named, number_of, require_new_name
from c2c_stasis.cli.remote import Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record

_ANOTHER = click.option("--another", is_flag=True, help="Even if there is one of that name.")
_COLUMNS: tuple[Column, ...] = (
    ("ID", "id"),
    ("NAME", "name"),
    ("REGION", lambda account: account["config"]["region"]),
    ("EXTENSIONS", lambda account: f"{account['config']['extension_length']} digits"),
    ("TIMEZONE", lambda account: account["config"]["timezone"]),
)


@click.group(epilog=EXIT_STATUS)
def accounts() -> None:
    """Accounts: customers of the platform.

    Each has users and numbers of its own.
    """


@accounts.command("list", epilog=EXIT_STATUS)
@for_platform
@click.option("--search", metavar="TEXT", default="", help="Only those with this in the name or e-mail address.")
def list_accounts(remote: Remote, search: str) -> None:
    """List all accounts, newest first."""
    none = "there is no account yet. Make one: c2c-stasis accounts create NAME"
    numbers = ("CALLER NUMBER", lambda account: number_of(remote.of_account(account["id"]), account))
    print_list(remote, remote.every("accounts", search=search), (*_COLUMNS, numbers), none)


@accounts.command("create", epilog=EXIT_STATUS)
@for_platform
@click.argument("name")
@click.option("--email", metavar="ADDRESS", help="Whom to write to.")
@click.option("--region", metavar="CC", help="Whose national numbers it dials (ISO 3166).  [US]")
@click.option("--timezone", metavar="ZONE", help="An IANA name.  [UTC]")
@click.option("--extension-length", type=int, metavar="DIGITS", help="3 to 6.  [4]")
@_ANOTHER
def create_account(remote: Remote, name: str, email: str | None, another: bool, **config: Any) -> None:
    """Make an account."""
    if not another:
        require_new_name(remote, "accounts", name)
    print_record(remote, remote.post("accounts", body={"name": name} | _fields(email, config)))


@accounts.command("show", epilog=EXIT_STATUS)
@for_platform
@click.argument("account")
def show_account(remote: Remote, account: str) -> None:
    """Show one account, by id or name."""
    record = remote.get("accounts", account_named(remote, account))
    print_record(remote, record, caller_number=lambda: number_of(remote.of_account(record["id"]), record))


@accounts.command("update", epilog=EXIT_STATUS)
@for_platform
@click.argument("account")
@click.option("--name", metavar="NAME", help="Another name.")
@click.option("--email", metavar="ADDRESS", help='Whom to write to; "" for nobody.')
@click.option("--region", metavar="CC", help="Whose national numbers it dials (ISO 3166).")
@click.option("--timezone", metavar="ZONE", help="An IANA name.")
@click.option("--extension-length", type=int, metavar="DIGITS", help="3 to 6; its extensions must fit.")
@click.option("--caller-number", metavar="+NUMBER|ID", help='The number that its calls show; "" for none.')
@click.option(
    "--policy",
    metavar="JSON",
    help="What it may dial, where that is other than configured; in the place of all that was set before. {} for nothing.",
)
@click.option(
    "--cors-origins",
    metavar="ORIGINS",
    help='Pages that may act for it, with commas; "" for those of the whole service.',
)
def update_account(
    remote: Remote,
    account: str,
    name: str | None,
    email: str | None,
    caller_number: str | None,
    policy: str | None,
    cors_origins: str | None,
    **config: Any,
) -> None:
    """Change an account, by id or name."""
    account_id = account_named(remote, account)
    body = ({"name": name} if name is not None else {}) | _fields(email, config)
    if caller_number is not None:
        chosen = number_named(remote.of_account(account_id), caller_number) if caller_number else None
        body["caller_number_id"] = chosen
    if policy is not None:
        body["policy"] = _json(policy)
    if cors_origins is not None:
        body["cors_origins"] = cors_origins.replace(",", " ").split() or None
    print_record(remote, remote.post("accounts", account_id, body=body))


@accounts.command("delete", epilog=EXIT_STATUS)
@for_platform
@click.argument("account")
def delete_account(remote: Remote, account: str) -> None:
    """Delete an account that has no users any more, and its numbers."""
    account_id = account_named(remote, account)
    remote.delete("accounts", account_id)
    print_deleted(remote, "account", account_id)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"is no JSON ({error}); see docs/policy.md", param_hint="--policy") from error


def _fields(email: str | None, config: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in config.items() if value is not None}
    return ({"email": email} if email is not None else {}) | ({"config": said} if said else {})
