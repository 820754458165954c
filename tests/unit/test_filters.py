from __future__ import annotations

import pytest

from deployments.errors import StageFailed
from deployments.geometry import quad_from_box
from deployments.types import Kind
from serve_app.filters import RegionFilter
from serve_app.results import PageResult, Region

QUAD = quad_from_box((0, 0, 10, 10))
SURE = Region(QUAD, 0.9, Kind.PRINTED, 0.9, "sure", 0.9)
UNSURE = Region(QUAD, 0.9, Kind.HANDWRITTEN, 0.9, "unsure", 0.3)
LOST = Region(QUAD, 0.9, Kind.PRINTED, 0.9, error=StageFailed())
UNKNOWN = Region(QUAD, 0.9, text="unknown", confidence=0.9)
PAGE = PageResult(0, 100, 100, regions=(SURE, UNSURE, LOST, UNKNOWN))


@pytest.mark.parametrize(
    ("keep", "expected"),
    [(RegionFilter(), (SURE, UNSURE, LOST, UNKNOWN)), (RegionFilter(0.5), (SURE, LOST, UNKNOWN)),
     (RegionFilter(0.3), (SURE, UNSURE, LOST, UNKNOWN)),
     (RegionFilter(kind=Kind.PRINTED), (SURE, LOST, UNKNOWN)),
     (RegionFilter(0.5, Kind.HANDWRITTEN), (UNKNOWN,))],
)  # fmt: skip
def test_regions_left_out(keep: RegionFilter, expected: tuple[Region, ...]) -> None:
    assert keep(PAGE).regions == expected
