"""The driver's event loop."""

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


def test_a_call_waits_for_its_own_result_and_takes_those_that_come_before() -> None:
    with ProcessPool(1) as pool:
        jobs, seen = JobQueue(pool), list[int]()
        jobs.submit(abs, -1, then=seen.append)
        assert jobs.call(abs, -2) == 2
        assert seen == [1]
        assert not jobs.busy


def test_checks_come_before_a_result_is_taken() -> None:
    with ProcessPool(1) as pool:
        jobs, seen = JobQueue(pool), list[int]()
        jobs.checks.append(lambda: seen.append(0))
        jobs.submit(abs, -1, then=seen.append)
        jobs.run_until()
        assert seen == [0, 1]
