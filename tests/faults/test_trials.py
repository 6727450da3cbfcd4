"""People call, and again and again something breaks: whatever was accepted ends in one record, and nothing is left.

A minute of it is part of the tests; `make faults` is the long one. How many trials there are of which kind, and the seed of the
first, may be told: `C2C_FAULTS="kill=300 cut=200" C2C_FAULTS_SEED=17`. A seed that failed is tried again, alone, by
`C2C_FAULTS="kill=1" C2C_FAULTS_SEED=<seed>`: the same people do the same then, at the same moments as far as a machine can.
"""

import os
import random
import time
from collections import Counter

import pytest

from tests.faults.snapshot import ROWS
from tests.faults.trials import KINDS, Trial, run
from tests.faults.world import World
from tests.live.story import Story

pytestmark = [pytest.mark.live, pytest.mark.timeout(4 * 3600)]

SHORT = {"kill": 1, "cut": 1, "asterisk-kill": 1, "asterisk-stop": 1, "term": 1}
LONGEST_CUT, STOPPED_FOR = 30.0, 10.0  # seconds
SHORT_CUT, SHORT_STOP = 1.5, 2.0  # seconds
TOLD = os.environ.get("C2C_FAULTS", "")
SEED = int(os.environ.get("C2C_FAULTS_SEED", "1"))
COUNTS = {kind: int(count) for kind, _, count in (one.partition("=") for one in TOLD.split())} if TOLD else SHORT


@pytest.mark.parametrize("kind", [kind for kind in KINDS if COUNTS.get(kind)])
async def test_whatever_breaks_what_was_accepted_ends_in_one_record_and_nothing_is_left(
    story: Story, kind: str
) -> None:
    trials = COUNTS[kind]
    began, at_fault, calls, again, failed = time.monotonic(), Counter[str](), 0, 0, list[str]()
    world = await World.build(story, trials)
    for seed in range(SEED, SEED + trials):
        trial = Trial(
            world,
            random.Random(f"{kind} {seed}"),
            longest_cut=LONGEST_CUT if TOLD else SHORT_CUT,
            stopped_for=STOPPED_FOR if TOLD else SHORT_STOP,
        )
        trial_began = time.monotonic()
        await run(trial, kind)
        calls += len(trial.ledger.accepted)
        at_fault += trial.rows
        tell_of(kind, seed, trial, time.monotonic() - trial_began)
        failed += [f"{kind} {seed}: {one}" for one in trial.wrong]
        again += len(trial.noted)
    await world.close()
    story.expected_alarms = world.service.alarms()  # each was told of in its trial
    print(f"{kind}: {trials} trials, {calls} calls accepted, {time.monotonic() - began:.0f} s")
    for row, meaning in ROWS.items():
        print(f"  {at_fault[row]:6} calls were {row}: {meaning}")
    print(f"  {again} devices were called again that were dialled a moment before a kill and had declined")
    print(f"  {len({one.split(':')[0] for one in failed})} trials failed")

    assert failed == []


def tell_of(kind: str, seed: int, trial: Trial, seconds: float) -> None:
    """One line for each trial, and one for whatever was wrong."""
    where = ", ".join(f"{row} {count}" for row, count in sorted(trial.rows.items()) if row != "ended")
    refused = sum(bool(entry.refused) for entry in trial.ledger.entries)
    accepted, inside = len(trial.ledger.accepted), sum(entry.inside for entry, _ in trial.ledger.accepted)
    calls = f"{accepted} calls, {inside} of them to colleagues"
    print(f"{kind} {seed}: {calls}, {refused} refused, then {where or 'nobody'}; {seconds:.1f} s", flush=True)
    for one in trial.wrong:
        print(f"  WRONG: {one}", flush=True)
    for one in trial.noted:
        print(f"  noted: {one}", flush=True)
