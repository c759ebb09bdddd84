"""The driver: a Trio run that goes forward when it is told to."""

from __future__ import annotations

import pytest
import trio

from trio_ports.testing import Driver


def test_a_step_that_finishes() -> None:
    """What it returned can be had, and what it raised is raised."""
    with Driver() as driver:
        assert driver.start(trio.lowlevel.checkpoint).unwrap() is None
        assert driver.call(max, 1, 2) == 2
        step = driver.start(trio.open_file, "/nowhere/at/all")
        while step.blocked:  # A thread looks for the file.
            driver.run(trio.lowlevel.checkpoint)
        with pytest.raises(FileNotFoundError):
            step.unwrap()
        assert "FileNotFoundError" in repr(step)


def test_a_step_that_is_blocked() -> None:
    """That is an answer; and it can be cancelled."""
    with Driver() as driver:
        step = driver.start(trio.sleep_forever)
        assert step.blocked
        assert repr(step) == "<DriverTask blocked>"
        with pytest.raises(trio.WouldBlock):
            step.unwrap()
        driver.cancel(step)
        assert not step.blocked
        assert step.cancelled
        assert repr(step) == "<DriverTask cancelled>"


def test_time() -> None:
    """It stands still until it is moved."""
    with Driver() as driver:
        step = driver.start(trio.sleep, 60)
        driver.advance(59)
        assert step.blocked
        driver.advance(1)
        assert not step.blocked


def test_real_time() -> None:
    """It passes by itself, and can't be moved."""
    with Driver(real_time=True) as driver:
        driver.run(trio.sleep, 0.001)
        with pytest.raises(RuntimeError, match="by itself"):
            driver.advance(1)


def test_closing_twice() -> None:
    """The second time nothing happens."""
    driver = Driver()
    driver.start(trio.sleep_forever)
    driver.close()
    driver.close()
