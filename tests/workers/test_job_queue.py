"""The driver's event loop."""

import time

import pytest

from nas_kd.workers.job_queue import JobQueue
from nas_kd.workers.pool import ProcessPool


def test_waiting_stops_when_it_is_enough_and_goes_on_later() -> None:
    with ProcessPool(1) as pool:
        jobs, seen = JobQueue(pool), list[int]()
        for number in range(3):
            jobs.submit(abs, -number, then=seen.append)
        jobs.run_until(lambda: len(seen) >= 1)
        assert 0 in seen
        jobs.run_until()
        assert sorted(seen) == [0, 1, 2]


def test_what_follows_from_a_job_is_waited_for_too() -> None:
    with ProcessPool(1) as pool:
        jobs, seen = JobQueue(pool), list[int]()

        def again(number: int) -> None:
            seen.append(number)
            if number < 3:
                jobs.submit(abs, -number - 1, then=again)

        jobs.submit(abs, 0, then=again)
        jobs.run_until()
        assert seen == [0, 1, 2, 3]


def test_who_has_no_job_is_told_so_while_others_work() -> None:
    with ProcessPool(2) as pool:
        jobs, seen = JobQueue(pool, workers=2), list[str]()

        def idle() -> None:
            if seen == ["quick"]:
                jobs.submit(abs, -1, then=lambda _: seen.append("filled in"))

        jobs.submit(time.sleep, 1.0, then=lambda _: seen.append("slow"))
        jobs.submit(abs, -1, then=lambda _: seen.append("quick"))
        jobs.run_until(idle=idle)
        assert seen == ["quick", "filled in", "slow"]
        assert not jobs.busy


def test_a_check_that_raises_keeps_a_result_from_being_taken() -> None:
    def gone() -> None:
        raise ValueError("gone")

    with ProcessPool(1) as pool:
        jobs, seen = JobQueue(pool), list[int]()
        jobs.checks.append(gone)
        jobs.submit(abs, -1, then=seen.append)
        with pytest.raises(ValueError, match="gone"):
            jobs.run_until()
        assert seen == []
