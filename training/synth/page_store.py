"""Pages on disk: ``images/*.jpg``, ``labels.jsonl`` and, on request, ``chars.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


def encode_jpeg(picture: npt.NDArray[np.uint8], quality: int) -> bytes:
    """RGB uint8 ``(H, W, 3)`` to JPEG; a picture without colour is stored as grey."""
    plain = np.array_equal(picture[..., 0], picture[..., 1]) and np.array_equal(
        picture[..., 1], picture[..., 2]
    )
    pixels = picture[..., 0] if plain else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"cannot encode a picture of shape {picture.shape}")
    return data.tobytes()


def rounded(points: npt.NDArray[np.floating]) -> list[Any]:
    """Nested lists with one decimal, as the labels keep them."""
    return np.round(np.asarray(points, np.float64), 1).tolist()  # type: ignore[no-any-return]


class PageWriter:
    """Writes pages in the order given. A context manager; an existing set is replaced."""

    def __init__(self, directory: Path, with_characters: bool = False) -> None:
        self._images = directory / "images"
        self._images.mkdir(parents=True, exist_ok=True)
        self._labels = (directory / "labels.jsonl").open("w", encoding="utf-8")
        self._characters = (
            (directory / "chars.jsonl").open("w", encoding="utf-8") if with_characters else None
        )

    def __enter__(self) -> PageWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._labels.close()
        if self._characters is not None:
            self._characters.close()

    def add(self, name: str, jpeg: bytes, row: dict[str, Any], characters: Iterable[dict[str, Any]]) -> None:
        """One page. ``row`` is the label without ``image``; ``characters`` has one entry a line."""
        (self._images / f"{name}.jpg").write_bytes(jpeg)
        image = f"images/{name}.jpg"
        self._labels.write(json.dumps({"image": image, **row}, ensure_ascii=False) + "\n")
        if self._characters is not None:
            entry = {"image": image, "lines": list(characters)}
            self._characters.write(json.dumps(entry, ensure_ascii=False) + "\n")
