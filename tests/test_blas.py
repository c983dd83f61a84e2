"""Matrix products on one core, and what they leave behind: nothing."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from sonant.audio.features import log_mel
from sonant.blas import one_core
from sonant.kernels import best


def threads():
    return [one["num_threads"] for one in ThreadpoolController().info() if one["user_api"] == "blas"]


@pytest.fixture
def two_threads():
    """NumPy's BLAS has two threads, on any machine."""
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        if threads() != [2]:
            pytest.skip("NumPy's BLAS has no threads here")
        yield


def test_inside_there_is_one_and_after_it_as_many_as_before(two_threads):
    with one_core:
        assert threads() == [1]
        with one_core:
            assert threads() == [1]
        assert threads() == [1]
    assert threads() == [2]


def test_an_error_undoes_it_too(two_threads):
    with pytest.raises(ZeroDivisionError), one_core:
        raise ZeroDivisionError
    assert threads() == [2]


def test_threads_that_overlap_leave_what_they_found(two_threads):
    meet = Barrier(2)

    def first():
        with one_core:
            meet.wait()  # both are inside
            meet.wait()
        meet.wait()  # the first is out
        meet.wait()

    def second():
        with one_core:
            meet.wait()
            meet.wait()
            meet.wait()
            inside = threads()
        meet.wait()
        return inside

    with ThreadPoolExecutor(2) as pool:
        _, inside = pool.submit(first), pool.submit(second)
        assert inside.result() == [1]
    assert threads() == [2]


def test_log_mel_multiplies_on_one_core(two_threads, monkeypatch):
    seen = []
    rfft = np.fft.rfft
    monkeypatch.setattr(best, "library", lambda: None)  # kernels multiply by themselves
    monkeypatch.setattr(np.fft, "rfft", lambda *given, **named: seen.append(threads()) or rfft(*given, **named))
    log_mel(np.zeros(16_000, np.float32))
    assert seen
    assert all(one == [1] for one in seen)
    assert threads() == [2]
