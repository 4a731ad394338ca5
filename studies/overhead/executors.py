"""Four process pools, put through what a search asks of one.

    pip install loky pebble
    python studies/overhead/executors.py

For each pool: does one worker's death lose other jobs; does the pool go on; is an unguarded
`__main__` imported again by workers; which processes are left two seconds after the driver was
killed with -9 while its workers were busy; how long until the first job's result, with torch.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAKE = {
    "concurrent.futures": "from concurrent.futures import ProcessPoolExecutor\n"
    "import multiprocessing\n"
    "pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('spawn'))\n",
    "loky": "from loky import ProcessPoolExecutor\npool = ProcessPoolExecutor(2)\n",
    "pebble": "import multiprocessing\nfrom pebble import ProcessPool\n"
    "pool = ProcessPool(2, context=multiprocessing.get_context('spawn'))\n"
    "pool.submit = lambda f, *a: pool.schedule(f, args=a)\n",
    "nas-kd": "from nas_kd.workers.pool import ProcessPool\npool = ProcessPool(2)\n",
}

DEATH = """
import os, signal, time
pool.submit(pow, 2, 2).result()
others = [pool.submit(time.sleep, 3) for _ in range(1)]
time.sleep(1)
dead = pool.submit(os._exit, 3)
def lost(job):
    try:
        job.result()
    except BaseException as error:
        return type(error).__name__
    return "done"
print("dying job:", lost(dead), "| other job:", lost(others[0]), end=" | ")
try:
    print("afterwards:", pool.submit(pow, 2, 3).result())
except BaseException as error:
    print("afterwards:", type(error).__name__)
os._exit(0)
"""

MAIN = """
print("MAIN", flush=True)
pool.submit(pow, 2, 2).result()
import os; os._exit(0)
"""

BUSY = """
import os, time
jobs = [pool.submit(os.getpid) for _ in range(8)]
[job.result() for job in jobs]
for _ in range(2):
    pool.submit(time.sleep, 30)
time.sleep(1)
print("ready", flush=True)
time.sleep(60)
"""

START = """
import os, time
began = time.perf_counter()
import torch
loaded = time.perf_counter()
pool.submit(torch.get_num_threads).result()
print(f"{time.perf_counter() - began:.2f} s to the first result (torch in the driver "
      f"{loaded - began:.2f} s)", flush=True)
began = time.perf_counter()
try:
    pool.submit(os._exit, 1).result()
except BaseException:
    pass
try:
    pool.submit(torch.get_num_threads).result()
    print(f"{time.perf_counter() - began:.2f} s to a result after a worker died", flush=True)
except BaseException as error:
    print(type(error).__name__, "after a worker died", flush=True)
os._exit(0)
"""


def script(name: str, body: str, guarded: bool = True) -> Path:
    """A program that makes the pool and does the body."""
    code = MAKE[name] + body
    if guarded:
        lines = "".join(f"    {line}\n" for line in code.splitlines())
        code = f"if __name__ == '__main__':\n{lines}"
    path = Path(tempfile.mkdtemp()) / "program.py"
    path.write_text(code)
    return path


def run(path: Path) -> str:
    """What a program prints; it is ended after a minute."""
    try:
        done = subprocess.run(
            [sys.executable, path], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return "hangs"
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def left_after_kill(name: str) -> str:
    """How many processes of a driver are alive two seconds after its death."""
    environment = os.environ | {"POOL_TRIAL": name}
    with subprocess.Popen(
        [sys.executable, script(name, BUSY)], stdout=subprocess.PIPE, text=True, env=environment
    ) as driver:
        assert driver.stdout is not None
        driver.stdout.readline()
        driver.kill()
        driver.wait()
        time.sleep(2)
        pids = alive(name)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    return f"{len(pids)} processes"


def alive(name: str) -> list[int]:
    """The processes that carry the trial's name in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            mine = f"POOL_TRIAL={name}".encode() in (process / "environ").read_bytes()
            if mine and "\nState:\tZ" not in (process / "status").read_text():
                found.append(int(process.name))
        except (OSError, ValueError):
            continue
    return found


for pool in MAKE:
    print(f"\n{pool}")
    print("  a worker dies:      ", run(script(pool, DEATH)))
    times = run(script(pool, MAIN, guarded=False)).count("MAIN")
    print("  unguarded __main__: ", f"ran {times} times")
    print("  driver killed -9:   ", left_after_kill(pool), "left after 2 s")
    print("  start:              ", run(script(pool, START)).replace("\n", "; "))
