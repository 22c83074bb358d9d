import pytest

from services.backends.previews.schedule import MAX_CPU_SHARE, PreviewSchedule


def test_previews_are_due_once_a_second_if_they_cost_little() -> None:
    schedule = PreviewSchedule(now_s=100.0, cpu_s=5.0)
    made = []
    for tenth in range(51):
        now_s, cpu_s = 100.0 + tenth / 10, 5.0 + tenth / 10
        if schedule.is_due(now_s=now_s, cpu_s=cpu_s):
            schedule.add(0.001, now_s=now_s, cpu_s=cpu_s)
            made.append(now_s)
    assert made == pytest.approx([101, 102, 103, 104, 105])


@pytest.mark.parametrize(("cores", "cost_s"), [(1.0, 0.09), (0.25, 0.03), (4.0, 0.3), (1.0, 0.02)])
def test_previews_use_at_most_their_share_of_the_cpu_time(cores: float, cost_s: float) -> None:
    schedule = PreviewSchedule(now_s=0.0, cpu_s=0.0)
    made, cpu_s = 0, 0.0
    for tenth in range(1, 6001):
        now_s = tenth / 10
        cpu_s = now_s * cores + made * cost_s
        if schedule.is_due(now_s=now_s, cpu_s=cpu_s):
            schedule.add(cost_s, now_s=now_s, cpu_s=cpu_s)
            made += 1
    assert made > 1
    assert (made - 1) * cost_s <= MAX_CPU_SHARE * cpu_s
    assert made <= 600
