"""No history of faults, delays, crashes and clock steps breaks what users rely on.

`python -m pytest tests/simulation` prints the trace of a history that does. `HISTORIES=3000` runs more of them.
"""

import os

import pytest

from services.backends.remotion_lambda.aws import Aws
from tests.simulation.chances import KINDS, Kind
from tests.simulation.histories import DEPLOYED, run_history

HISTORIES = int(os.environ.get("HISTORIES", "100"))
pytestmark = pytest.mark.slow  # 6 s of CPU time
RARE = 2  # kinds of disturbances that need others, so that they may not occur in these histories


@pytest.fixture
def aws() -> Aws:
    return Aws(DEPLOYED.access)


def test_every_render_ends_once_without_losing_videos_or_quota_or_running_twice(aws: Aws) -> None:
    seen: set[Kind] = set()
    for seed in range(HISTORIES):
        outcome = run_history(seed, aws)
        assert not outcome.violations, "\n".join((f"history {seed}:", *outcome.trace))
        seen |= outcome.seen
    assert len(KINDS.keys() - seen) <= RARE, KINDS.keys() - seen
