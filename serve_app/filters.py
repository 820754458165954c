"""Regions that a request wants to have left out of its answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployments.types import Kind
from serve_app.results import PageResult, Region


@dataclass(frozen=True, slots=True)
class RegionFilter:
    """Keeps regions of one ``kind`` (None: of both) whose text is at least ``min_confidence`` sure.

    A region is kept for its error where its text, or its kind, could not be told.
    """

    min_confidence: float = 0.0
    kind: Kind | None = None

    def __call__(self, page: PageResult) -> PageResult:
        """The page with the regions that are kept, in their order."""
        return replace(page, regions=tuple(region for region in page.regions if self._keeps(region)))

    def _keeps(self, region: Region) -> bool:
        if self.kind is not None and region.kind not in (self.kind, None):
            return False
        return region.confidence is None or region.confidence >= self.min_confidence
