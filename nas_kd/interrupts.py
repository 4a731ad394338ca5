"""Ctrl-C and SIGTERM as one exception that is never lost."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class Interrupted(BaseException):
    """A signal asked this process to end; `code` is the exit code that says so."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.code = 128 + number
        super().__init__(signal.Signals(number).name)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted for Ctrl-C and SIGTERM inside the block.

    Python drops what is raised while it runs a weak reference's callback or a `__del__`, and with
    it the wish to stop; such a signal is sent once more as soon as the callback is over.
    """

    def stop(number: int, frame: object) -> NoReturn:
        raise Interrupted(number)

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        if isinstance(what.exc_value, Interrupted):
            again = (threading.main_thread().ident, what.exc_value.number)
            threading.Timer(0.01, signal.pthread_kill, again).start()  # wakes a waiting main thread
        else:
            before(what)

    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, stop) for number in numbers]
    before, sys.unraisablehook = sys.unraisablehook, dropped
    try:
        yield
    finally:
        sys.unraisablehook = before
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
