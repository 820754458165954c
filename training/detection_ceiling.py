"""How many lines CRAFT's boxes would find on perfect maps: what is lost in reading, whatever the network."""

from __future__ import annotations

from collections.abc import Iterable

from deployments.detection.config import DetectionTuning
from deployments.detection.craft import Heatmaps, read_lines
from deployments.detection.preprocess import InputSpec, fit_page
from deployments.detection.skew import Pose
from deployments.geometry import quad_bounds, quad_from_box
from training.detection_craft import STRIDE, straightened
from training.detection_heatmaps import CharacterPage, draw_heatmaps
from training.detection_metrics import DetectionCounts, match_lines


def ceiling(pages: Iterable[CharacterPage], spec: InputSpec, tuning: DetectionTuning) -> DetectionCounts:
    """Draw the truth of each page at the network's scale, read lines off it, compare them with its lines."""
    counts = DetectionCounts()
    for page in pages:
        lines = read_lines(_true_maps(page, spec), tuning).lines
        labels = [quad_from_box(quad_bounds(line.quads.reshape(-1, 2))) for line in page.lines]
        counts += match_lines([line.quad for line in lines], labels).counts
    return counts


def _true_maps(page: CharacterPage, spec: InputSpec) -> Heatmaps:
    straight = straightened(page)
    fitted = fit_page(straight.pixels, spec, Pose(skew_deg=straight.skew_deg))
    height, width = fitted.pixels.shape[:2]
    maps = draw_heatmaps(page.lines, fitted.from_page[:2] / STRIDE, (width // STRIDE, height // STRIDE))
    return Heatmaps(fitted, maps[:2], STRIDE)
