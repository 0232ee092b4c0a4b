from __future__ import annotations

import pytest

from target_zoho_crm.polling import USUAL, Pauses


def looks(pauses: Pauses, job_seconds: float) -> list[float]:
    """When a job that takes so long is looked at, up to the look that finds it ended."""
    moments = [pauses.after(0.0)]
    while moments[-1] < job_seconds:
        moments.append(moments[-1] + pauses.after(moments[-1]))
    return moments


@pytest.mark.parametrize(("job_seconds", "most_calls"), [(0.5, 6), (12, 24), (60, 32), (600, 72)])
def test_the_end_of_a_job_is_noticed_soon_and_by_few_calls(job_seconds: float, most_calls: int) -> None:
    found = looks(Pauses(), job_seconds)
    late = found[-1] - job_seconds
    assert late <= max(USUAL.shortest, min(USUAL.longest, job_seconds * 0.2))
    assert len(found) <= most_calls


def test_a_job_is_not_asked_for_long_before_the_fastest_of_the_last_ones_had_ended() -> None:
    pauses = Pauses()
    for seconds in (12.0, 10.0, 11.0):
        pauses.took(seconds)
    assert looks(pauses, 10.5) == pytest.approx([7.0, 8.4, 10.08, 12.096])


def test_jobs_that_become_faster_are_noticed() -> None:
    pauses = Pauses()
    pauses.took(30.0)
    for _ in range(12):
        pauses.took(looks(pauses, 0.5)[-1])
    assert looks(pauses, 0.5)[-1] < 0.7
