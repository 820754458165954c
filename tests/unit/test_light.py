"""Lines in uneven light."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from deployments.recognition.light import level_light
from deployments.recognition.preprocess import normalise_ink

Grey = npt.NDArray[np.uint8]


def line(height: int = 40, width: int = 600, paper: int = 220, ink: int = 60) -> Grey:
    """A line of text: upright strokes of 4 px every 12 px, from a quarter to three quarters of the height."""
    grey = np.full((height, width), paper, np.uint8)
    for x in range(10, width - 10, 12):
        grey[height // 4 : 3 * height // 4, x : x + 4] = ink
    return grey


def lit(grey: Grey, light: npt.NDArray[np.float64]) -> Grey:
    return np.clip(grey * light, 0, 255).astype(np.uint8)


GRADIENT = np.linspace(1.0, 0.5, 600)
EDGE = 1 - 0.5 / (1 + np.exp(-(np.arange(600) - 300) / 40))
LAMP = 0.55 + 0.45 * np.exp(-(((np.arange(600) - 200) / 180) ** 2))


@pytest.mark.parametrize(
    "light", [GRADIENT, GRADIENT[::-1], EDGE, LAMP], ids=["left", "right", "edge", "lamp"]
)
def test_ink_reads_as_in_even_light(light: npt.NDArray[np.float64]) -> None:
    even = normalise_ink(line())
    shaded = lit(line(), light)
    assert np.abs(normalise_ink(shaded) - even).max() > 0.5
    levelled = normalise_ink(level_light(shaded))
    assert np.abs(levelled - even).mean() < 0.05
    assert ((levelled > 0.5) == (even > 0.5)).mean() > 0.99


@pytest.mark.parametrize(
    "grey",
    [
        pytest.param(line(), id="even"),
        pytest.param(lit(line(), np.linspace(1.0, 0.95, 600)), id="nearly-even"),
        pytest.param(line(paper=20, ink=230), id="light-text-on-dark"),
        pytest.param(line(width=30), id="a-letter"),
        pytest.param(line(width=1), id="a-column"),
        pytest.param(line(height=1), id="a-row"),
    ],
)
def test_lines_in_even_light_are_left_as_they_are(grey: Grey) -> None:
    assert level_light(grey) is grey


def test_the_line_is_not_written_to() -> None:
    shaded = lit(line(), GRADIENT)
    before = shaded.copy()
    assert level_light(shaded) is not shaded
    assert (shaded == before).all()


def test_light_text_on_dark_ground_in_uneven_light() -> None:
    even = normalise_ink(line(paper=90, ink=250))
    levelled = normalise_ink(level_light(lit(line(paper=90, ink=250), GRADIENT)))
    assert ((levelled > 0.5) == (even > 0.5)).mean() > 0.95
