"""Wire models: what clients send and get. Their field descriptions are the published contract."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from deployments.types import Kind

Probability = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0)]
PixelPoint = Annotated[
    tuple[float, float], Field(description="x and y, pixels of the page, origin top left, y down")
]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Layout(StrEnum):
    """What an image shows."""

    PAGE = "page"
    BLOCK = "block"
    LINE = "line"


class OutputFormat(StrEnum):
    """How the answer is written."""

    JSON = "json"
    TEXT = "text"


class OcrQuery(_Wire):
    """Query parameters of a reading."""

    layout: Layout = Field(
        Layout.PAGE,
        description="`page`: lines are located, and columns told apart. `block`: lines are located, and read "
        "row by row across the whole width. `line`: each page is one line of text, read whole.",
    )
    format: OutputFormat = Field(
        OutputFormat.JSON,
        description="`json`: regions and text. `text`: the text alone, pages parted by form feeds.",
    )


class EncodedDocument(_Wire):
    """A document inside JSON."""

    image: str = Field(
        description="data URL with base64 content; the format is told by the content, not by the media type",
        examples=["data:image/png;base64,iVBORw0KGgoAAAANSUhEUg..."],
    )


class BoundingBox(_Wire):
    """The straight rectangle around a region, pixels of the page."""

    x: float = Field(description="left edge, pixels from the left of the page")
    y: float = Field(description="top edge, pixels from the top of the page")
    width: float = Field(ge=0, description="pixels")
    height: float = Field(ge=0, description="pixels")


class ItemError(_Wire):
    """Why one page or region has no result while the rest of the document has."""

    code: str = Field(description="the last part of the problem's `type`", examples=["stage_failed"])
    detail: str = Field(
        description="the reason in words", examples=["A processing stage failed on this item"]
    )


class RegionView(_Wire):
    """One line of text, or a piece of a line between wide gaps."""

    bbox: BoundingBox
    polygon: tuple[PixelPoint, PixelPoint, PixelPoint, PixelPoint] = Field(
        description="corners as the text is read: top left, top right, bottom right, bottom left"
    )
    kind: Kind | None = Field(description="handwritten or printed; typewriting counts as printed")
    kind_confidence: Probability | None = Field(description="probability of `kind`, 0 to 1")
    text: str | None = Field(description="what the line says; null when it could not be read")
    confidence: Probability | None = Field(
        description="probability of `text`: geometric mean over its characters, 0 to 1"
    )
    detection_confidence: Probability = Field(description="probability that this is a line of text, 0 to 1")
    engine: str | None = Field(description="recognition engine that read the line")
    error: ItemError | None = Field(None, description="present when a stage failed on this region alone")


class PageView(_Wire):
    """One page, upright: its EXIF orientation is applied."""

    page: int = Field(ge=1, description="number of the page in the document, from 1")
    width: int = Field(ge=1, description="pixels")
    height: int = Field(ge=1, description="pixels")
    skew_deg: float = Field(description="angle of the text's baselines, degrees; positive when they rise")
    orientation_deg: Literal[0, 90, 180, 270] = Field(
        description="how far the text is turned clockwise from reading level, degrees; the page's own "
        "coordinates stay, and polygons begin at the text's own top left corner"
    )
    regions: tuple[RegionView, ...] = Field(description="lines of text in reading order")
    text: str | None = Field(
        description="the page's text in reading order: rows by line breaks, pieces of a row by spaces or "
        "tabs, paragraphs by empty lines; null when the page has an `error`"
    )
    error: ItemError | None = Field(None, description="present when a stage failed on this page alone")


class Answer(_Wire):
    """A document that was read.

    A page or region on which a stage failed carries its own `error`, and the others are answered.
    When every page failed the whole request fails, with the error of the first.
    """

    request_id: str = Field(description="as in the `X-Request-ID` header")
    pages: tuple[PageView, ...]
    timings_ms: dict[str, Milliseconds] = Field(
        description="milliseconds by stage, and `total` from the complete body to the answer; stages overlap"
    )
    engines: dict[str, str] = Field(description="engine by stage")


class Health(_Wire):
    """The service is alive."""

    status: str = Field(examples=["alive"])


class Readiness(_Wire):
    """Whether work can be taken."""

    ready: bool
    stages: dict[str, bool] = Field(description="warm or not, by stage")


class Problem(_Wire):
    """An error, as RFC 9457 describes it."""

    type: str = Field(
        description="reference to the kind of problem, a path of this service; stable, for programs",
        examples=["/problems/unreadable_document"],
    )
    title: str = Field(description="the kind of problem in words")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="what happened to this request")
    request_id: str = Field(description="quote this when reporting the problem")


class StagesProblem(Problem):
    """The problem of a service that is not ready."""

    stages: dict[str, bool] = Field(description="warm or not, by stage")


class ProblemKind(_Wire):
    """What a problem's `type` refers to."""

    code: str
    title: str
    status: int
    retry: bool = Field(description="whether the same request may succeed later")
