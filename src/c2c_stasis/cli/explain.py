"""`c2c-stasis explain`: what would become of a call, and which rule decides about it; nothing rings."""

import json
from collections.abc import Iterator

import click

from c2c_stasis.cli.access import for_account
from c2c_stasis.cli.names import user_named
from c2c_stasis.cli.remote import Record, Remote
from c2c_stasis.cli.reporting import EX_REFUSED
from c2c_stasis.cli.tables import counted
from c2c_stasis.printable import printable

_EXIT_STATUS = """\
\b
Exit status:
   0  the call would be accepted
   1  it would be refused, or the service refused the question
   2  wrong usage, or no key
  69  the service is not running, or cannot answer now
  77  the key or the account is not accepted
  78  the configuration is wrong
"""

_PREFIXES = "allow_prefixes under [policy], or of the account's own policy"
OPENED_BY = {
    "other_region": "{region} in allow_regions under [policy], or in those of the account's own policy, which count instead",
    "outbound_disabled": "outbound_enabled under [policy] and of the account's own policy: both must be on",
    "unassigned_number": f"strict_numbers, when it is off; or {_PREFIXES}",
    "unknown_region": _PREFIXES,
    "worldwide_service": _PREFIXES,
}
"""What lets a call through that a rule refuses, where the sentence of the rule does not say it."""


@click.command(epilog=_EXIT_STATUS)
@for_account
@click.argument("user")
@click.argument("number")
def explain(remote: Remote, user: str, number: str) -> None:
    """Tell what would become of a call of USER to NUMBER.

    Nothing rings, and nothing is counted. It tells what the number is read as, which rule lets it through or refuses it, limits
    included; which devices would ring, through which trunks it would go, and which number would be shown.
    """
    told = remote.post("calls", "preflight", body={"user_id": user_named(remote, user), "dial_string": number})
    if remote.as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo("\n".join(printable(line) for line in _lines(told)))
    raise SystemExit(0 if told["allowed"] else EX_REFUSED)


def _lines(told: Record) -> Iterator[str]:
    """The answer for people: what is decided first, then who rings, then what else counts."""
    yield f"{_destination(told)}: {_decision(told)}"
    if told["rule"] in OPENED_BY:
        yield f"  opened by {OPENED_BY[told['rule']].format_map(told)}"
    for one in told["devices"]:
        yield f"  device    {_device(one)}"
    if told["callee"]:
        yield f"  callee    {told['callee']}"
    for one in told["destination_devices"]:
        yield f"  callee's  {_device(one)}"
    if told["trunks"]:
        yield f"  trunk     {', then '.join(told['trunks'])}"
    if told["from_number"]:
        yield f"  shown     {told['from_number']} {told['from_label'] or ''}".rstrip()
    if told["allowed"]:
        yield f"  talks     {told['max_duration']:g} s at most"
    if told["emergency"]:
        yield f"  emergency {_emergency(told['emergency'])}"
    if told["asterisk"] != "ok":
        yield f"  Asterisk  {told['asterisk']}: no call can be placed now"
    for warning in told["warnings"]:
        yield f"  warning   {warning}"


def _destination(told: Record) -> str:
    number = told["number"] or repr(told["dial_string"])
    facts = [told["number_class"], told["region"]] if told["kind"] == "external" else [told["kind"]]
    known = ", ".join(fact.replace("_", " ") for fact in facts if fact)
    return f"{number} ({known})" if known else number


def _decision(told: Record) -> str:
    if told["allowed"]:
        return f"allowed by {told['rule']}: {told['reason']}"
    later = f"; try again in {told['retry_after']} s" if told["retry_after"] else ""
    return f"refused by {told['rule']}, {told['status']}: {told['reason']}{later}"


def _device(one: Record) -> str:
    places = f" in {counted(one['contacts'], 'place')}" if one["contacts"] else ""
    rings = "rings" if one["rings"] else "does not ring"
    return f"{one['name'] or one['device'] or '-'}: {one['status']}{places}, {rings}"


def _emergency(one: Record) -> str:
    trunk = "a trunk for it" if one["emergency_trunk"] else "an ordinary trunk"
    back = f"called back at {one['callback_number']}" if one["callback_number"] else "no number to call back"
    what = "a test; " if one["test"] else ""
    return f"{what}no limit counts; {trunk}; {back}; location {one['location_name'] or 'not known'}"
