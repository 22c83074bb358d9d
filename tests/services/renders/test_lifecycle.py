from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import IllegalChange
from services.ids import new_render_id
from services.media import Media
from services.models import Failure, Output, Render, RenderPhase, RenderStatus, replace
from services.ports import AttemptProgress
from services.renders import lifecycle
from tests.conftest import PROPS
from tests.support.fake_clock import START_OF_TIME

NOW = START_OF_TIME
FAILURE = Failure(code="BROKEN", message="It broke.", retryable=True)
OUTPUT = Output(bucket="b", key="k", size_bytes=1)
SHORT = Media(frames=30, fps=30, width=1920, height=1080)
LONG = Media(frames=300, fps=30, width=1920, height=1080)

Change = Callable[[Render], Render]


def queued() -> Render:
    return Render(id=new_render_id(NOW), owner="ann", props=PROPS, created_at=NOW, due_at=NOW)


def advance(fraction: float, frames: int, media: Media | None = None, preview_frame: int | None = None) -> Change:
    progress = AttemptProgress(
        phase=RenderPhase.RENDERING_FRAMES,
        fraction=fraction,
        frames_rendered=frames,
        media=media,
        preview_frame=preview_frame,
    )
    return lambda render: lifecycle.advance(render, progress)


def launch(render: Render) -> Render:
    return lifecycle.launch(render, now=NOW)


def accept(render: Render) -> Render:
    return lifecycle.accept(render, backend_render_id="x")


def undo_launch(render: Render) -> Render:
    return lifecycle.undo_launch(render, before=queued(), due_at=NOW)


def fail_launch(render: Render) -> Render:
    return lifecycle.fail_launch(render, before=queued(), failure=FAILURE, now=NOW)


def requeue(render: Render) -> Render:
    return lifecycle.requeue(render, due_at=NOW)


def interrupt(render: Render) -> Render:
    return lifecycle.interrupt(render)


def complete(render: Render) -> Render:
    return lifecycle.complete(render, output=OUTPUT, cost_usd=0.5, warnings=("w",), now=NOW)


def fail(render: Render) -> Render:
    return lifecycle.fail(render, failure=FAILURE, now=NOW)


def cancel(render: Render) -> Render:
    return lifecycle.cancel(render, now=NOW)


def take_over(render: Render) -> Render:
    return lifecycle.take_over(render, running_s=render.running_s + 30)


NAMED: list[Change] = [
    launch,
    accept,
    take_over,
    undo_launch,
    fail_launch,
    requeue,
    interrupt,
    complete,
    fail,
    cancel,
    lifecycle.request_cancel,
]
CHANGES = st.one_of(
    st.sampled_from(NAMED),
    st.builds(
        advance,
        st.floats(-1, 2),
        st.integers(-10, 1000),
        st.sampled_from([None, SHORT, LONG]),
        st.sampled_from([None, 9]),
    ),
)
LEGAL = {
    RenderStatus.QUEUED: {RenderStatus.QUEUED, RenderStatus.RENDERING, RenderStatus.FAILED, RenderStatus.CANCELLED},
    RenderStatus.RENDERING: set(RenderStatus),
}


def queued_composition() -> Render:
    """Return a render of which the backend has not reported the length."""
    return replace(queued(), composition_id="Promo", props=None, input_props="{}")


@given(st.sampled_from([queued, queued_composition]), st.lists(CHANGES, max_size=30))
def test_any_sequence_of_changes_keeps_the_invariants(make: Callable[[], Render], changes: list[Change]) -> None:
    render = make()
    for change in changes:
        try:
            changed = change(render)
        except IllegalChange:
            continue
        if changed is not render:
            assert changed.revision == render.revision + 1
        assert changed.status in LEGAL[render.status]
        assert changed.progress >= render.progress
        assert changed.frames_rendered >= render.frames_rendered or changed.media != render.media
        assert changed.frames_rendered <= changed.total_frames or not changed.total_frames
        assert (changed.cost_usd or 0.0) >= (render.cost_usd or 0.0)
        assert (changed.progress == 100) == (changed.status is RenderStatus.COMPLETE)
        assert (changed.completed_at is not None) == changed.status.is_terminal
        assert (changed.phase is not None) == (changed.status is RenderStatus.RENDERING)
        assert (changed.failure is not None) == (changed.status is RenderStatus.FAILED)
        assert (changed.output is not None) == (changed.status is RenderStatus.COMPLETE)
        assert changed.preview_frame is None or changed.status is RenderStatus.RENDERING
        assert changed.running_s == 0.0 or changed.status is not RenderStatus.QUEUED
        render = changed


def test_an_attempt_starts_only_after_the_earlier_one_has_ended() -> None:
    with pytest.raises(IllegalChange):
        launch(launch(queued()))


@pytest.mark.parametrize("end", [complete, fail, cancel])
@pytest.mark.parametrize("change", [*NAMED, advance(0.5, 1)])
def test_nothing_changes_an_ended_render(end: Change, change: Change) -> None:
    ended = end(launch(queued()))
    with pytest.raises(IllegalChange):
        change(ended)


def test_an_unchanged_progress_report_returns_the_same_render() -> None:
    running = advance(0.5, 45)(launch(queued()))
    assert advance(0.5, 45)(running) is running
    assert advance(0.2, 10)(running) is running


def test_a_new_preview_is_a_change_by_itself() -> None:
    before = advance(0.5, 45, preview_frame=30)(launch(queued()))
    assert advance(0.5, 45, preview_frame=30)(before) is before
    after = advance(0.5, 45, preview_frame=45)(before)
    assert (before.preview_frame, after.preview_frame, after.revision) == (30, 45, before.revision + 1)


def test_the_reported_size_and_length_replace_the_expected_ones() -> None:
    expected = replace(launch(queued()), media=SHORT)
    assert advance(0.1, 3)(expected).media == SHORT
    reported = advance(0.1, 3, LONG)(expected)
    assert (reported.media, reported.total_frames) == (LONG, 300)
    assert advance(0.1, 3, LONG)(reported) is reported
    assert lifecycle.requeue(reported, due_at=NOW).media == LONG


def test_rendered_frames_are_limited_by_the_reported_length() -> None:
    assert advance(0.9, 250, LONG)(launch(queued())).frames_rendered == 250
    assert advance(0.9, 250, SHORT)(launch(queued())).frames_rendered == 30
    assert advance(0.9, 20, SHORT)(advance(0.9, 250, LONG)(launch(queued()))).frames_rendered == 30


def test_rendered_frames_are_counted_although_their_total_is_unknown() -> None:
    running = advance(0.5, 45)(launch(queued_composition()))
    assert (running.frames_rendered, running.total_frames) == (45, 0)
    assert complete(running).frames_rendered == 45


def test_a_complete_render_has_the_size_and_length_that_the_backend_reported_at_the_end() -> None:
    running = advance(0.5, 15, SHORT)(launch(queued_composition()))
    assert (complete(running).media, complete(running).frames_rendered) == (SHORT, 30)
    done = lifecycle.complete(running, output=OUTPUT, cost_usd=None, warnings=(), media=LONG, now=NOW)
    assert (done.media, done.frames_rendered, done.total_frames) == (LONG, 300, 300)


def test_a_second_cancel_request_returns_the_same_render() -> None:
    requested = lifecycle.request_cancel(launch(queued()))
    assert lifecycle.request_cancel(requested) is requested


def test_the_ids_of_earlier_attempts_are_kept() -> None:
    render = queued()
    for number in (1, 2):
        render = lifecycle.accept(launch(render), backend_render_id=f"attempt-{number}")
        render = lifecycle.requeue(render, due_at=NOW)
    assert lifecycle.requeue(launch(render), due_at=NOW).earlier_backend_render_ids == ("attempt-1", "attempt-2")


def test_a_rejected_launch_changes_only_the_count_of_rejections() -> None:
    before = queued()
    rejected = lifecycle.undo_launch(launch(before), before=before, due_at=NOW)
    assert (rejected.attempt, rejected.started_at, rejected.rejected_starts) == (0, None, 1)
    assert cancel(rejected).returns_quota


def test_only_started_renders_use_quota() -> None:
    assert cancel(queued()).returns_quota
    assert fail(queued()).returns_quota
    assert not cancel(launch(queued())).returns_quota
    assert not cancel(requeue(launch(queued()))).returns_quota
    assert not queued().returns_quota


def test_a_rejected_launch_returns_its_quota() -> None:
    rejected = fail_launch(launch(queued()))
    assert (rejected.status, rejected.failure, rejected.attempt) == (RenderStatus.FAILED, FAILURE, 0)
    assert rejected.returns_quota


def test_the_cost_is_the_sum_of_all_attempts() -> None:
    first = lifecycle.advance(launch(queued()), costing(0.02))
    second = lifecycle.advance(launch(requeue(first)), costing(0.005))
    assert second.cost_usd == pytest.approx(0.025)
    assert lifecycle.advance(second, costing(0.001)).cost_usd == pytest.approx(0.025)
    assert complete(second).cost_usd == pytest.approx(0.52)


def costing(cost_usd: float) -> AttemptProgress:
    return AttemptProgress(phase=RenderPhase.RENDERING_FRAMES, fraction=0.1, frames_rendered=1, cost_usd=cost_usd)


def test_the_running_time_is_that_of_the_current_attempt() -> None:
    taken_over = lifecycle.take_over(launch(queued()), running_s=15.0)
    assert taken_over.running_s == 15.0
    assert advance(0.5, 45)(taken_over).running_s == 15.0
    assert lifecycle.advance(taken_over, costing(0.1), running_s=20.0).running_s == 20.0
    assert accept(taken_over).running_s == requeue(taken_over).running_s == launch(requeue(taken_over)).running_s == 0.0


def test_times_are_in_order_although_the_clocks_of_two_processes_differ() -> None:
    behind = NOW - timedelta(hours=1)
    started = lifecycle.launch(queued(), now=behind)
    assert started.started_at == NOW
    ahead = lifecycle.launch(queued(), now=NOW + timedelta(hours=1))
    assert lifecycle.cancel(ahead, now=NOW).completed_at == NOW + timedelta(hours=1)
    assert lifecycle.cancel(queued(), now=behind).completed_at == NOW
