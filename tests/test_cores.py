"""NumPy's work on all cores."""

import os

import numpy as np
import pytest

from sonant import cores
from sonant.cores import by_parts, on_cores


@pytest.fixture(autouse=True)
def three(monkeypatch):
    monkeypatch.setattr(cores, "cores", lambda: 3)


def test_cores_count_once(monkeypatch):
    monkeypatch.undo()
    assert 1 <= cores.cores() <= os.cpu_count()


def test_results_are_in_order_and_what_goes_wrong_is_told():
    assert on_cores(lambda number: number**2, range(50)) == [number**2 for number in range(50)]
    assert on_cores(str, []) == []
    with pytest.raises(ZeroDivisionError):
        on_cores(lambda number: 1 / number, [1, 0, 2])


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 11, 12, 100])
def test_every_row_is_worked_on_once_in_parts_that_are_worth_it(rows):
    lengths = []

    def work(part):
        lengths.append(len(part))
        return part * 2

    given = np.arange(2 * rows).reshape(rows, 2)
    np.testing.assert_array_equal(by_parts(work, given, 4), given * 2)
    assert len(lengths) <= 3
    assert len(lengths) == 1 or min(lengths) >= 4
    assert sum(lengths) == rows
