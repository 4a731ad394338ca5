import gc
import signal
import time
import weakref

import pytest

from nas_kd.interrupts import Interrupted, interruptible

NUMBERS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), NUMBERS)
def test_a_signal_is_raised_where_the_program_is(number: signal.Signals, code: int) -> None:
    with pytest.raises(Interrupted) as caught, interruptible():
        signal.raise_signal(number)
    assert caught.value.code == code


class Closes:
    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


def forget(number: signal.Signals) -> None:
    Closes(number)
    gc.collect()
    time.sleep(1)


@pytest.mark.parametrize(("number", "code"), NUMBERS)
def test_a_signal_during_a_destructor_is_not_lost(number: signal.Signals, code: int) -> None:
    with pytest.raises(Interrupted) as caught, interruptible():
        forget(number)
    assert caught.value.code == code


class Key: ...


def lose_sight() -> None:
    key = Key()
    watch = weakref.ref(key, lambda _: signal.raise_signal(signal.SIGINT))
    del key
    gc.collect()
    assert watch() is None
    time.sleep(1)


def test_a_signal_during_the_callback_of_a_weak_reference_is_not_lost() -> None:
    with pytest.raises(Interrupted), interruptible():
        lose_sight()


def test_the_handlers_are_what_they_were_afterwards() -> None:
    before = [signal.getsignal(number) for number, _ in NUMBERS]
    with interruptible():
        assert [signal.getsignal(number) for number, _ in NUMBERS] != before
    assert [signal.getsignal(number) for number, _ in NUMBERS] == before
