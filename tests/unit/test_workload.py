from __future__ import annotations

import pytest

from deployments.batching import Step
from deployments.workload import WorkMeter


def step(pixels: int, run_s: float) -> Step:
    return Step(items=1, pixels=pixels, padding=0.0, longest_wait_s=0.0, run_s=run_s)


def test_nothing_is_known_before_the_first_step() -> None:
    meter = WorkMeter()
    assert (meter.done_pixels, meter.pixels_per_s) == (0, 0.0)


def test_work_adds_up_and_speed_is_that_of_the_fast_steps() -> None:
    meter = WorkMeter()
    for number in range(10):
        meter.count(step(100, 1.0 if number % 2 else 0.1))
    assert meter.done_pixels == 1000
    assert meter.pixels_per_s == pytest.approx(1000)


def test_small_steps_do_not_hide_what_full_ones_do() -> None:
    """A step costs 10 ms and 1 ms a hundred pixels: alone an item goes at a tenth of the speed."""
    meter = WorkMeter()
    for items in [1] * 50 + [32] * 10:
        meter.count(step(100 * items, 0.01 + 0.001 * items))
    assert meter.pixels_per_s == pytest.approx(3200 / 0.042)


def test_what_was_long_ago_is_forgotten() -> None:
    meter = WorkMeter()
    for speed in [500] * 100 + [100] * 100:
        meter.count(step(speed, 1.0))
    assert meter.pixels_per_s == pytest.approx(100)


def test_a_step_too_short_to_be_timed_tells_no_speed() -> None:
    meter = WorkMeter()
    meter.count(step(100, 0.0))
    assert (meter.done_pixels, meter.pixels_per_s) == (100, 0.0)
