"""The other side of the process pool: a server that has torch loaded and forks workers.

It is started as a fresh interpreter that imports this module and nothing of the user's, so plain
scripts and notebook cells work; a worker is a fork of it, ready in hundredths of a second. Server
and workers watch the line to the driver and end when it is cut, however the driver ended.
"""

import contextlib
import ctypes
import os
import pickle
import select
import signal
import socket
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any, NoReturn

CUT = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


def end_when_cut(line: int, stop: threading.Event) -> None:
    """End this process as soon as the other side of a socket is gone."""
    poll = select.poll()
    poll.register(line, CUT)
    while not stop.is_set():
        if poll.poll(200):
            os._exit(1)


@contextlib.contextmanager
def watched(line: int) -> Any:
    """Watch a line while the block runs."""
    stop = threading.Event()
    watcher = threading.Thread(target=end_when_cut, args=(line, stop), daemon=True)
    watcher.start()
    yield
    stop.set()
    watcher.join()


def keep_freed_memory() -> None:
    """With glibc, have freed memory kept for the next batch's activations.

    Else large blocks go back to the kernel after each step and come back page by page; wide
    networks train up to 1.3 times faster where they are kept (studies/cohorts). Before glibc 2.35
    blocks of more than 32 MiB cannot be kept.
    """
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    with contextlib.suppress(AttributeError, OSError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        if set_option(mmap_threshold, 2**30) or set_option(mmap_threshold, 2**25):
            set_option(trim_threshold, 2**30)
            set_option(top_pad, 2**26)


def serve(line: int) -> NoReturn:
    """Fork a worker for each connection that comes over the line; end when it is cut."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    keep_freed_memory()
    with watched(line):
        import torch as torch  # so that workers, which are forks, have it loaded
    control = socket.socket(fileno=line)
    while True:
        message, handles, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            work(handles[0])
        os.close(handles[0])


def end_with_parent() -> None:
    """On Linux, have the kernel end this process with its parent, whatever it is busy with."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def work(handle: int) -> NoReturn:
    """Do the jobs that come over the connection, one after the other; end when it is cut."""
    end_with_parent()
    with watched(handle):
        connection = Connection(handle)
        connection.send(os.getpid())
        sys.path[:], device = connection.recv()
        if device.startswith("cuda:"):  # torch has not looked for GPUs yet; it sees only this one
            number = int(device.removeprefix("cuda:"))  # among those that this process may use
            mine = os.environ.get("CUDA_VISIBLE_DEVICES")
            os.environ["CUDA_VISIBLE_DEVICES"] = mine.split(",")[number] if mine else str(number)
        while True:
            try:
                job = connection.recv_bytes()
            except (EOFError, OSError):
                os._exit(0)
            connection.send_bytes(reply(job))
    raise AssertionError("a worker ends by os._exit")


def reply(job: bytes) -> bytes:
    """(True, result) or (False, error) of a pickled (function, arguments)."""
    try:
        function, arguments = pickle.loads(job)
        return pickle.dumps((True, function(*arguments)))
    except BaseException as raised:
        # SystemExit of a user's code would end whoever asks for the result
        own = isinstance(raised, Exception)
        error = raised if own else RuntimeError(f"it ended with {raised!r}")
        text = traceback.format_exc()
        error.add_note(f"In a worker process:\n{text}")
        try:
            pickle.loads(pickled := pickle.dumps((False, error)))
        except Exception:
            return pickle.dumps((False, RuntimeError(text)))
        return pickled
