import os
import subprocess
import sys

SCRIPT = """
import ctypes, threading
from server.memory import bound_arenas

print(bound_arenas())
held = threading.Barrier(40)
threads = [threading.Thread(target=lambda: (bytearray(200_000), held.wait())) for _ in range(40)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ctypes.CDLL(None).malloc_stats()
"""


def test_threads_share_a_few_arenas() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    if done.stdout.strip() != "True":
        return  # another C library

    assert 1 <= done.stderr.count("Arena ") <= max(2, os.cpu_count() or 2)


SETTLED = """
import gc
from server.memory import settle

made = [[] for _ in range(1000)]
settle()
print(gc.get_freeze_count() >= 1000, any(thing is made[0] for thing in gc.get_objects()))
"""


def test_what_was_made_before_is_not_looked_through_again() -> None:
    done = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
