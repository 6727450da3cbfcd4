"""`c2c-stasis webhooks`: where an account is told of events, and what was sent there."""

from typing import Any

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.names import webhook_named
from c2c_stasis.cli.remote import Record, Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record

_PATH = "webhook_endpoints"
_COLUMNS: tuple[Column, ...] = (
    ("ID", "id"),
    ("STATUS", "status"),
    ("FAILING SINCE", "failing_since"),
    ("EVENTS", "enabled_events"),
    ("URL", "url"),
    ("DESCRIPTION", "description"),
)
_SENT: tuple[Column, ...] = (
    ("ID", "id"),
    ("EVENT", "type"),
    ("CALL", "call_id"),
    ("STATUS", "status"),
    ("ATTEMPTS", "attempt_count"),
    ("LAST ANSWER", lambda one: _answer(one["attempts"])),
    ("CREATED", "created_at"),
    ("NEXT", "next_attempt_at"),
)
_FIELDS = (
    click.option("--event", "enabled_events", multiple=True, help="Which events; may be repeated.  [*: all but leg.*]"),
    click.option("--description", metavar="TEXT", help="What you call it."),
)
_LONGEST = 60  # characters of an answer in a table
_SECRET = "The secret is shown this once and cannot be read again: give it to the receiver."  # noqa: S105


@click.group(epilog=EXIT_STATUS)
def webhooks() -> None:
    """Webhook endpoints: where an account is told of events. The secret can be seen once, when it is made."""


@webhooks.command("list", epilog=EXIT_STATUS)
@for_account
def list_webhooks(remote: Remote) -> None:
    """List all webhook endpoints, newest first."""
    none = "there is no webhook endpoint yet. Make one: c2c-stasis webhooks create https://app.example.com/hooks"
    print_list(remote, remote.every(_PATH), _COLUMNS, none)


@webhooks.command("create", epilog=EXIT_STATUS)
@for_account
@click.argument("where", metavar="URL")
@_FIELDS[0]
@_FIELDS[1]
def create_webhook(remote: Remote, where: str, **said: Any) -> None:
    """Let events be sent to this URL. Its secret is shown now and never again."""
    print_record(remote, remote.post(_PATH, body={"url": where} | _given(said)))
    click.echo(_SECRET, err=True)


@webhooks.command("show", epilog=EXIT_STATUS)
@for_account
@click.argument("endpoint")
def show_webhook(remote: Remote, endpoint: str) -> None:
    """Show one webhook endpoint, by id or URL."""
    print_record(remote, remote.get(_PATH, webhook_named(remote, endpoint)))


@webhooks.command("update", epilog=EXIT_STATUS)
@for_account
@click.argument("endpoint")
@click.option("--new-url", metavar="URL", help="Where events are sent from now on.")
@_FIELDS[0]
@_FIELDS[1]
@click.option("--enable/--disable", "enabled", default=None, help="Whether events are sent.")
def update_webhook(remote: Remote, endpoint: str, new_url: str | None, enabled: bool | None, **said: Any) -> None:
    """Change a webhook endpoint, by id or URL. What waits for one that is disabled is given up."""
    body = _given(said) | ({"url": new_url} if new_url else {})
    if enabled is not None:
        body["status"] = "enabled" if enabled else "disabled"
    print_record(remote, remote.post(_PATH, webhook_named(remote, endpoint), body=body))


@webhooks.command("rotate", epilog=EXIT_STATUS)
@for_account
@click.argument("endpoint")
@click.option(
    "--overlap",
    "seconds",
    type=click.IntRange(0, 604_800),
    default=86_400,
    show_default=True,
    help="Seconds for which the old secret signs as well.",
)
def rotate_webhook(remote: Remote, endpoint: str, seconds: int) -> None:
    """Give a webhook endpoint another secret, by id or URL. It is shown now and never again."""
    body = {"overlap_seconds": seconds}
    print_record(remote, remote.post(_PATH, webhook_named(remote, endpoint), "rotate", body=body))
    click.echo(_SECRET, err=True)


@webhooks.command("delete", epilog=EXIT_STATUS)
@for_account
@click.argument("endpoint")
def delete_webhook(remote: Remote, endpoint: str) -> None:
    """Delete a webhook endpoint, by id or URL, with all that was to be sent to it."""
    endpoint_id = webhook_named(remote, endpoint)
    remote.delete(_PATH, endpoint_id)
    print_deleted(remote, "webhook endpoint", endpoint_id)


@webhooks.command("deliveries", epilog=EXIT_STATUS)
@for_account
@click.argument("endpoint")
@click.option("--status", type=click.Choice(["pending", "delivered", "failed"]), help="Only these.")
def list_deliveries(remote: Remote, endpoint: str, status: str | None) -> None:
    """List what was sent to a webhook endpoint, by id or URL, newest first."""
    query = {"status": status} if status else {}
    sent = remote.every(_PATH, webhook_named(remote, endpoint), "deliveries", **query)
    print_list(remote, sent, _SENT, f"nothing that was sent there is {status}" if status else "nothing was sent there")


@webhooks.command("redeliver", epilog=EXIT_STATUS)
@for_account
@click.argument("endpoint")
@click.argument("delivery")
def redeliver(remote: Remote, endpoint: str, delivery: str) -> None:
    """Send an event again, by the id of its delivery."""
    print_record(
        remote, remote.post(_PATH, webhook_named(remote, endpoint), "deliveries", delivery, "redeliver", body={})
    )


@webhooks.command("test", epilog=EXIT_STATUS)
@for_account
@click.argument("endpoint")
def test_webhook(remote: Remote, endpoint: str) -> None:
    """Send a test event to a webhook endpoint, by id or URL; `deliveries` shows what was answered."""
    print_record(remote, remote.post(_PATH, webhook_named(remote, endpoint), "test", body={}))


def _given(fields: dict[str, Any]) -> Record:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items() if value}


def _answer(attempts: list[Record]) -> object:
    """What the newest attempt came to; of a refusal, also how its text begins."""
    if not attempts:
        return None
    newest = attempts[0]
    if newest["error"] or 200 <= newest["status_code"] < 300:
        return newest["error"] or newest["status_code"]
    said = " ".join((newest["response"] or "").split())
    return f"{newest['status_code']} {said[:_LONGEST]}{'…' if len(said) > _LONGEST else ''}".rstrip()
