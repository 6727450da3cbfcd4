"""The page that is drawn from the code says all that the code knows, and no more."""

import runpy
from pathlib import Path

from c2c_stasis.call.model import CallState, Reason
from tests.call.invariants import ENDS

ROOT = Path(__file__).parents[2]
drawing = runpy.run_path(str(ROOT / "tools" / "draw_states.py"))


def test_the_page_is_drawn_from_the_code_as_it_is() -> None:
    assert (ROOT / "docs" / "call-states.md").read_text() == drawing["page"]()


def test_the_page_explains_every_state_and_every_reason() -> None:
    assert set(drawing["STATES"]) == set(CallState)
    assert set(drawing["REASONS"]) == set(Reason)


def test_the_page_lists_exactly_the_ends_that_the_histories_allow() -> None:
    listed = {(outcome, reason) for reason, (outcomes, _) in drawing["REASONS"].items() for outcome in outcomes}

    assert listed == set(ENDS)
