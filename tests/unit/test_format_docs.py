from __future__ import annotations

from serve_app.render import json as json_format
from tests.format_docs import PAGE, document, page


def test_the_samples_are_what_the_writers_write() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.format_docs"


def test_the_samples_are_the_reading_that_was_answered() -> None:
    read, answer = document()
    made = json_format.render(read, answer["request_id"], answer["timings_ms"], with_words=True)
    regions = made.model_dump(mode="json")["pages"][0]["regions"]
    for region, answered in zip(regions, answer["pages"][0]["regions"], strict=True):
        words, given = region.pop("words"), answered.pop("words")
        for rounded_twice in ("polygon", "bbox"):
            region.pop(rounded_twice)
            answered.pop(rounded_twice)
        assert region == answered
        assert [word["text"] for word in words] == [word["text"] for word in given]
        assert all(abs(a["bbox"]["x"] - b["bbox"]["x"]) < 0.3 for a, b in zip(words, given, strict=True))
