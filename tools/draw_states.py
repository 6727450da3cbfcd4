"""Writes docs/call-states.md from the code: the states of a call, the moves between them, and what its ends mean.

With `--check` it writes nothing and exits 1 when the file is stale.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from c2c_stasis.call import attempts, causes, ending, machine, reports
from c2c_stasis.call.model import START_WITHIN, CallState, End, EndedBy, Limits, Outcome, Reason
from c2c_stasis.call.move import MOVES

FILE = Path(__file__).parents[1] / "docs" / "call-states.md"

# What a state means, and what its deadline is and does.
STATES: dict[CallState, tuple[str, str]] = {
    CallState.ACCEPTED: (
        "The request is taken; nothing has been asked of Asterisk.",
        f"{START_WITHIN:g} s: the call fails; in the service it is left in the step that accepts the call",
    ),
    CallState.RINGING_USER: (
        "Every phone of the user is made, dialled and rings. A single destination leg waits undialled in the bridge.",
        "`ring_timeout`: the call ends",
    ),
    CallState.DIALLING_DESTINATION: (
        "A phone was answered, the others are let go as answered elsewhere; the destination is dialled.",
        "`answer_timeout` after the user's answer, "
        f"{attempts.DIAL_WITHIN:g} s while no leg of it could be dialled: the user hears a tone. When there is another trunk, "
        "`attempt_timeout` of silence: that one is tried",
    ),
    CallState.RINGING_DESTINATION: (
        "The destination rings or sends early media.",
        f"the same; an emergency centre that rings is given {attempts.EMERGENCY_LIFETIME // 3600} h",
    ),
    CallState.JOINING: (
        "Both sides have answered and are not both in the bridge yet.",
        f"{reports.JOIN_WITHIN:g} s, for an emergency call {machine.HELP_JOINS_WITHIN:g} s: the call fails; until then each "
        "side is put there again",
    ),
    CallState.TALKING: (
        "Both sides are in the bridge.",
        f"`max_duration`, for an emergency call {attempts.EMERGENCY_LIFETIME // 3600} h: both are hung up",
    ),
    CallState.PLAYING_TONE: (
        "The destination was not reached; the user hears why. The end is decided.",
        f"`tone_seconds` ({Limits().tone_seconds:g} s): the user is released",
    ),
    CallState.RELEASING: (
        "Every leg has been asked to end.",
        f"{ending.RELEASE_ROUND:g} s: asked again; after {ending.RELEASE_ROUNDS} rounds the record is closed",
    ),
    CallState.ENDED: ("`call.end` has been told, nothing follows.", "none"),
}

# When a call ends for a reason, and with which outcomes.
REASONS: dict[Reason, tuple[tuple[Outcome, ...], str]] = {
    Reason.NORMAL: ((Outcome.COMPLETED,), "one side hung up, or the API ended the conversation"),
    Reason.MAX_DURATION: ((Outcome.COMPLETED,), "the longest conversation was reached"),
    Reason.USER_NO_ANSWER: ((Outcome.NO_ANSWER,), "the user's phones rang and nobody answered"),
    Reason.USER_REJECTED: ((Outcome.REJECTED,), "the user declined on a phone, and no other was answered"),
    Reason.NO_DEVICE: ((Outcome.FAILED,), "no phone of that side is registered"),
    Reason.DEVICE_UNREACHABLE: ((Outcome.FAILED,), "phones are registered, and none could be reached"),
    Reason.DESTINATION_NO_ANSWER: ((Outcome.NO_ANSWER,), "the destination did not answer in time"),
    Reason.DESTINATION_BUSY: ((Outcome.BUSY,), "the destination is busy or wants no calls"),
    Reason.DESTINATION_REJECTED: ((Outcome.REJECTED,), "the destination declined"),
    Reason.INVALID_NUMBER: ((Outcome.FAILED,), "the network does not know the number"),
    Reason.NO_ROUTE: ((Outcome.FAILED,), "the network has no way to the number"),
    Reason.CONGESTION: ((Outcome.FAILED,), "the network is full"),
    Reason.TRUNK_FAILED: ((Outcome.FAILED,), "the trunk refused, failed or stayed silent"),
    Reason.CANCELLED_BY_API: ((Outcome.CANCELLED,), "ended over the API before the destination answered"),
    Reason.CANCELLED_BY_USER: ((Outcome.CANCELLED,), "the user hung up before the destination answered"),
    Reason.MEDIA_TIMEOUT: ((Outcome.COMPLETED, Outcome.FAILED), "no sound came from a phone any more"),
    Reason.SWITCH_LOST: (
        (Outcome.COMPLETED, Outcome.FAILED),
        "Asterisk began anew, or did not do what no call can do without",
    ),
    Reason.SERVICE_RESTARTED: ((Outcome.FAILED,), "this service began anew at a moment that cannot be mended"),
    Reason.INTERNAL_ERROR: ((Outcome.COMPLETED, Outcome.FAILED), "our own code failed while it handled the call"),
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table."""
    columns = list(head)
    return [_row(columns), _row("---" for _ in columns), *(_row(row) for row in rows)]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def diagram() -> list[str]:
    """The moves as a Mermaid state diagram; the words on an arrow are those of the code."""
    arrows = [f"    {before} --> {after}: {why}" for (before, after), why in MOVES.items()]
    return [
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {CallState.ACCEPTED}",
        *arrows,
        f"    {CallState.ENDED} --> [*]",
        "```",
    ]


def states() -> list[str]:
    """The table of the states, in the order of a call."""
    rows = ((f"`{state}`", *STATES[state]) for state in CallState)
    return table(("State", "Meaning", "Deadline, and what it does"), rows)


def ends() -> list[str]:
    """The table of all ends: what the API says, what the user heard, and the cause with which the legs were let go."""
    rows = []
    for outcome in Outcome:
        for reason, (outcomes, when) in REASONS.items():
            if outcome in outcomes:
                end = End(outcome, reason, EndedBy.SYSTEM)
                rows.append(
                    (f"`{outcome}`", f"`{reason}`", f"`{causes.status_of(end)}`", str(causes.release_cause(end)), when)
                )
    return table(("Outcome", "Reason", "API status", "Legs let go with Q.850", "When"), rows)


def destination_causes() -> list[str]:
    """What the SIP status or the cause of a destination in the public network means."""
    rows = [
        (f"SIP {code}", f"`{outcome}`", f"`{reason}`", next_trunk(reason))
        for code, (outcome, reason) in causes.DESTINATION_BY_SIP.items()
    ]
    rows += [
        (f"Q.850 {cause}", f"`{outcome}`", f"`{reason}`", next_trunk(reason))
        for cause, (outcome, reason) in causes.DESTINATION_BY_CAUSE.items()
    ]
    return table(("The leg ended with", "Outcome", "Reason", "Next trunk"), rows)


def next_trunk(reason: Reason) -> str:
    """Whether another trunk is tried after an end that is this one's."""
    return "yes" if reason in causes.NEXT_ROUTE_AFTER else "no"


def leg_causes() -> list[str]:
    """What the SIP status or the cause of a phone means."""
    rows = [(f"SIP {code}", f"`{outcome}`") for code, outcome in causes.LEG_BY_SIP.items()]
    rows += [(f"Q.850 {cause}", f"`{outcome}`") for cause, outcome in causes.LEG_BY_CAUSE.items()]
    return table(("The leg ended with", "Outcome of the leg"), rows)


def page() -> str:
    """The whole file."""
    parts = (
        ["# The states of a call", "", "Drawn from the code by `tools/draw_states.py`; do not edit."],
        ["## Moves", "", *diagram()],
        ["## States", "", *states()],
        [
            "## Ends",
            "",
            "The user hears the busy tone when the destination is busy or declined, and congestion for all its other failures.",
            "A call that ends before a phone was answered, or by the user, has no tone.",
            "",
            *ends(),
        ],
        [
            "## What ended the destination's leg",
            "",
            "The SIP status decides before the cause. What is not in the table (SIP 408 among it) is `destination_no_answer`",
            "if the destination rang and `trunk_failed` if it did not. The next trunk is tried only when nothing rang,",
            "that is, without a 180, a 183 or an answer; for an emergency call it may be tried after any failure.",
            "",
            *destination_causes(),
        ],
        [
            "## What ended a phone's leg",
            "",
            "What is not in the table (SIP 408 among it) is `no_answer` if the phone rang and `unreachable` if it did not. Of",
            "several phones the strongest act decides the reason of the call: declined, busy, not answered, unreachable.",
            "",
            *leg_causes(),
        ],
    )
    return "\n".join("\n".join((*part, "")) for part in parts)


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the file is stale.")
def main(check: bool) -> None:
    drawn = page()
    if FILE.is_file() and FILE.read_text() == drawn:
        return
    if check:
        click.echo(f"{FILE.relative_to(FILE.parents[1])} is stale: run tools/draw_states.py", err=True)
        sys.exit(1)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(drawn)
    click.echo(f"{FILE.relative_to(FILE.parents[1])} drawn")


if __name__ == "__main__":
    main()
