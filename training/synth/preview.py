"""Contact sheets: a look at what the generator makes beats any statistic of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from training.synth.lines import LineSample

_GAP_PX = 6
_SHEET_WIDTH_PX = 1700


def contact_sheet(samples: Iterable[LineSample], path: Path, max_rows: int = 34) -> int:
    """Pack lines left to right, top to bottom, into a PNG; return how many fitted."""
    rows: list[list[np.ndarray]] = [[]]
    used, count = 0, 0
    for sample in samples:
        image = sample.image[:, :_SHEET_WIDTH_PX]
        if used + image.shape[1] > _SHEET_WIDTH_PX and rows[-1]:
            if len(rows) == max_rows:
                break
            rows.append([])
            used = 0
        rows[-1].append(image)
        used += image.shape[1] + _GAP_PX
        count += 1
    height = max((image.shape[0] for row in rows for image in row), default=1)
    sheet = np.full((len(rows) * (height + _GAP_PX), _SHEET_WIDTH_PX), 128, np.uint8)
    for number, row in enumerate(rows):
        x = 0
        for image in row:
            y = number * (height + _GAP_PX)
            sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
            x += image.shape[1] + _GAP_PX
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), sheet):
        raise OSError(f"cannot write {path}")
    return count


if __name__ == "__main__":
    import sys

    from training.synth.__main__ import main

    main(["preview", *sys.argv[1:]])
