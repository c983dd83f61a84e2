"""Threads that share a call: every portion once, whoever is there, and nothing that waits for ever."""

import ctypes
import gc
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonant.errors import MissingExtra
from sonant.kernels import build, library
from sonant.kernels.team import Team


class Portion(ctypes.Structure):
    _fields_ = (*((name, ctypes.c_int64) for name in ("begin", "end", "place")), ("space", ctypes.c_void_p))


class Nothing(ctypes.Structure):
    """What the kernels of this file read."""


KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Portion))


def some_library():
    for level in build.LEVELS.get(build.machine(), ()):
        try:
            return library.open_level(level)
        except MissingExtra:
            continue
    pytest.skip("no kernels were compiled")


def made(size, work):
    """A team of so many whose kernel "work" is this function of a portion."""
    found, kernel = some_library(), KERNEL(lambda _call, own: work(own.contents))
    names = ("sonant_hold", "sonant_help", "sonant_run")
    functions = SimpleNamespace(**{name: getattr(found.functions, name) for name in names}, sonant_work=kernel)
    return Team(replace(found, functions=functions), size)


def covered(done):
    return [place for begin, end, *_ in sorted(done) for place in range(begin, end)]


@settings(max_examples=200, deadline=None)
@given(total=st.integers(0, 1000), most=st.integers(1, 300), size=st.integers(1, 5), calls=st.integers(1, 3))
def test_every_portion_of_a_call_is_done_once(total, most, size, calls):
    done = []
    team = made(size, lambda own: done.append((own.begin, own.end, own.place)))
    for _ in range(calls):
        done.clear()
        team.call("work", Nothing(), total, most)
        assert covered(done) == list(range(total))
        assert all(0 < end - begin <= most for begin, end, _ in done)
        assert sorted(place for *_, place in done) == list(range(team.portions(total, most)))
        assert [place for *_, place in sorted(done)] == list(range(len(done)))


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("pause_s", [0, 0.02], ids=["helpers wait", "helpers left"])
def test_members_of_a_call_made_together_are_there_all_at_a_time(size, pause_s):
    barrier = threading.Barrier(size)
    met, spaces = [], []

    def work(own):
        spaces.append(own.space)
        met.append(barrier.wait(timeout=30))

    team = made(size, work)
    for _ in range(5):
        met.clear()
        spaces.clear()
        team.together("work", Nothing(), 16)
        assert sorted(met) == list(range(size))
        assert len(set(spaces)) == size  # each has one of its own
        time.sleep(pause_s)
    assert team.hands.desk.number[-1] == 10  # begun and ended


def test_calls_from_many_threads_come_one_after_the_other():
    lock, inside, most, done = threading.Lock(), [0], [0], []

    def work(own):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        done.append(own.begin)
        with lock:
            inside[0] -= 1

    team = made(2, work)
    threads = [
        threading.Thread(target=lambda: [team.call("work", Nothing(), 8, 1) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4 * 50 * 8
    assert most[0] <= 2


def test_ctrl_c_in_work_of_python_dismisses_nobody_for_good():
    team = made(2, lambda _own: None)

    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        team.share(9, 1, interrupted)
    assert not team.hands.desk.dismissed


@pytest.mark.parametrize("where", ["sonant_hold", "submit"])
def test_ctrl_c_before_a_call_leaves_nothing_open(where, monkeypatch):
    barrier, done = threading.Barrier(2), []

    def work(own):
        done.append(own.place)
        barrier.wait(timeout=30)

    team = made(2, work)
    owner = team.hands.pool if where == "submit" else team.library.functions
    before = getattr(owner, where)

    def interrupted(*given):
        before(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, where, interrupted)
        with pytest.raises(KeyboardInterrupt):
            team.together("work", Nothing(), 0)
    assert not done
    assert not team.hands.desk.held
    for _ in range(3):
        team.together("work", Nothing(), 0)  # and goes on
    assert sorted(done) == [0, 0, 0, 1, 1, 1]


def test_a_helper_that_is_held_stays():
    team = made(2, lambda _own: None)
    team.library.functions.sonant_hold(team.hands.desk.where)
    team.hands.pool.submit(team.library.functions.sonant_help, ctypes.byref(team.hands.desk), 1)
    deadline = time.monotonic() + 30
    while not team.hands.desk.there[1] and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.1)  # many times what it waits for calls
    assert team.hands.desk.there[1]
    team.hands.desk.held = 0
    while team.hands.desk.there[1] and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not team.hands.desk.there[1]


def test_helpers_outlive_their_team_unharmed():
    for _ in range(20):
        team = made(2, lambda _own: None)
        team.call("work", Nothing(), 2, 1)
        kept = team.library.functions.sonant_work
        del team
        gc.collect()
    assert kept


@settings(max_examples=100, deadline=None)
@given(total=st.integers(0, 1000), most=st.integers(1, 300), size=st.integers(1, 5))
def test_a_team_does_everything_once(total, most, size):
    done = []
    team = made(size, lambda own: done.append((own.begin, own.end)))
    for _ in range(2):  # where helpers wait for a kernel's call, too
        done.clear()
        team.share(total, most, lambda member, begin, end: done.append((begin, end, member)))
        assert covered(done) == list(range(total))
        assert all(0 < end - begin <= most and member < size for begin, end, member in done)
        done.clear()
        team.call("work", Nothing(), total, most)
        assert covered(done) == list(range(total))


def test_a_team_tells_what_went_wrong():
    team = made(3, lambda _own: None)

    def work(_member, begin, _end):
        if begin >= 5:
            raise ValueError(f"at {begin}")

    with pytest.raises(ValueError, match="at "):
        team.share(9, 1, work)
    team.share(9, 1, lambda *_: None)  # and goes on
    team.call("work", Nothing(), 9, 1)


FORKED = """
import os, signal, sys
import numpy as np
from sonant import cores
from sonant.kernels import best
from sonant.kernels.product import Product

team, random = best.find("float32", 2), np.random.default_rng(0)
x, weights = (random.normal(0, 1, shape).astype(np.float32) for shape in ((500, 40), (1, 40, 64)))
product = Product(team, weights)
right = product(x)
cores.cores = lambda: 2
parts = cores.by_parts(np.sin, x, 100)
child = os.fork()
signal.alarm(60)  # of either process
if child == 0:
    team.share(4, 1, lambda *_: None)
    same = np.array_equal(product(x), right) and np.array_equal(Product(team, weights)(x), right)
    os._exit(0 if same and np.array_equal(cores.by_parts(np.sin, x, 100), parts) else 1)
_, status = os.waitpid(child, 0)
assert np.array_equal(product(x), right)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_a_forked_process_has_threads_of_its_own():
    """As a server has that opens its model before it forks, or multiprocessing on Linux."""
    some_library()
    ran = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
