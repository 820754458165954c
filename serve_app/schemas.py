"""Wire models: what clients send and get. Their field descriptions are the published contract."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from deployments.types import Kind
from serve_app.page_ranges import PATTERN, parse_ranges
from serve_app.pages import DEFAULT_DPI, TextLayer

Probability = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0)]
PixelPoint = Annotated[
    tuple[float, float], Field(description="x and y, pixels of the page, origin top left, y down")
]


class Sent(BaseModel):
    """What clients send: a field that is not known is a mistake, and refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answered(BaseModel):
    """What the service answers: later versions may add fields, so clients must not refuse unknown ones."""

    model_config = ConfigDict(frozen=True)


class Layout(StrEnum):
    """What an image shows."""

    PAGE = "page"
    BLOCK = "block"
    LINE = "line"


class OutputFormat(StrEnum):
    """How the answer is written."""

    JSON = "json"
    TEXT = "text"
    HOCR = "hocr"
    ALTO = "alto"
    PDF = "pdf"
    CSV = "csv"
    PNG = "png"
    NDJSON = "ndjson"


def _check_ranges(text: str) -> str:
    parse_ranges(text)
    return text


# The pattern is told, and not held against: what parses the ranges says better what is wrong.
PageRangesText = Annotated[
    str, Field(max_length=600, json_schema_extra={"pattern": PATTERN}), AfterValidator(_check_ranges)
]


class OcrQuery(Sent):
    """Query parameters of a reading."""

    layout: Layout = Field(
        Layout.PAGE,
        description="`page`: lines are located, and columns are separated. `block`: lines are located, and "
        "read row by row across the whole width. `line`: each page is one line of text, read whole. A page "
        "with ink on which no line could be located is read as one, and that is kept where it reads surely.",
    )
    format: OutputFormat | None = Field(
        None,
        description="`json`: regions and text. `text`: the text alone, pages separated by form feeds. "
        "`hocr`: hOCR 1.2. `alto`: ALTO 4. `pdf`: the pages as pictures over their text, which can be "
        "searched. `csv`: one row for each region. `png`: one page with its regions drawn. `ndjson`: JSON "
        "lines, each page as soon as it is read. Without it the Accept header decides; JSON is the default.",
    )
    pages: PageRangesText | None = Field(
        None,
        description="pages to read, numbered from 1 in each file; page numbers beyond the end of a file are "
        "ignored; each file must contain at least one requested page. All by default.",
        examples=["1-3,7", "5-"],
    )
    dpi: int = Field(
        DEFAULT_DPI, ge=50, le=600, description="resolution that PDF pages are drawn at, dots an inch"
    )
    text_layer: TextLayer = Field(
        TextLayer.IGNORE,
        description="`ignore`: PDF pages are read from their picture. `prefer`: where a PDF page has text of "
        "its own, that is taken as it is (`engine` is then `text-layer`), and other pages are read; so are "
        "those with next to no text, or with more than 100,000 characters or 5,000 lines.",
    )
    engine: str | None = Field(
        None,
        pattern=r"^[a-z0-9_-]{1,40}$",
        description="recognition engine that reads every line, one of those the service runs (see `engines` "
        "in the answer); by default each kind of line has its own",
        examples=["crnn"],
    )
    min_confidence: Probability = Field(
        0.0, description="regions whose text is less certain are left out of the answer"
    )
    kind: Kind | None = Field(
        None, description="regions known to be of the other kind are left out of the answer"
    )
    words: bool = Field(False, description="whether JSON regions list their words")
    progress: bool = Field(
        False, description="with `ndjson`: whether lines tell which stage each page enters, as it does"
    )
    pictures: int | None = Field(
        None,
        ge=64,
        le=2400,
        description="with `ndjson`: each page comes with its picture, as soon as it is decoded, its longer "
        "side reduced to this many pixels. For clients that cannot draw PDF or TIFF.",
    )


# A black line on white, 16 x 16 px.
_TINY_PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQAAAAA3iMLMAAAAFklEQVR42mP8z8DEgIIYHrDD2Yw"
    "YsgBcxgMCgF0e2AAAAABJRU5ErkJggg=="
)
# For readers of the contract; what is wrong with a URL is told in words (serve_app.uploads).
_BASE64 = "[A-Za-z0-9+/]"
_DATA_URL = f"^data:[^,]*;base64,({_BASE64}{{4}})*({_BASE64}{{4}}|{_BASE64}{{3}}=|{_BASE64}{{2}}==)$"


class EncodedDocument(Sent):
    """A document inside JSON."""

    image: str = Field(
        description="data URL with base64 content, an image or a PDF; the format is detected from the "
        "content, not from the media type",
        examples=[_TINY_PNG],
        json_schema_extra={"pattern": _DATA_URL},
    )


class BoundingBox(Answered):
    """The upright rectangle around a polygon, pixels of the page."""

    x: float = Field(description="left edge, pixels from the left of the page")
    y: float = Field(description="top edge, pixels from the top of the page")
    width: float = Field(ge=0, description="width, pixels")
    height: float = Field(ge=0, description="height, pixels")


class ItemError(Answered):
    """Why one page or region has no result while the rest of the document has."""

    code: str = Field(description="the last part of the problem's `type`", examples=["stage_failed"])
    detail: str = Field(
        description="the reason in words", examples=["A processing stage failed on this item"]
    )


_CORNERS = (
    "corners in pixels of the page, in the order top left, top right, bottom right, bottom left of the text "
    "as it is read, which on a turned page are other corners of the page's own"
)


class WordView(Answered):
    """One word of a line."""

    text: str = Field(description="the word, with the punctuation that touches it")
    bbox: BoundingBox
    polygon: tuple[PixelPoint, PixelPoint, PixelPoint, PixelPoint] = Field(description=_CORNERS)
    confidence: Probability | None = Field(
        description="probability of the word: geometric mean over its characters; null when its line has none"
    )


class RegionView(Answered):
    """One line of text, or a piece of a line between wide gaps."""

    bbox: BoundingBox
    polygon: tuple[PixelPoint, PixelPoint, PixelPoint, PixelPoint] = Field(description=_CORNERS)
    kind: Kind | None = Field(
        description="typewriting counts as printed; null when classification failed on the region"
    )
    kind_confidence: Probability | None = Field(description="probability of `kind`; null when that is")
    text: str | None = Field(description="what the line says; null when recognition failed on the region")
    confidence: Probability | None = Field(
        description="probability of `text`: geometric mean over its characters; null when that is"
    )
    detection_confidence: Probability = Field(description="probability that this is a line of text")
    engine: str | None = Field(
        description="recognition engine that read the line, or failed to; `text-layer` where a PDF's own "
        "text was taken"
    )
    error: ItemError | None = Field(
        None,
        description="why `kind` or `text` is null; null when both are there. Other regions are not affected",
    )
    words: tuple[WordView, ...] | None = Field(
        None, description="words in order; null without the parameter `words`"
    )


class PageView(Answered):
    """One page, upright, of square pixels: EXIF orientation is applied, and faxes are enlarged one way."""

    page: int = Field(ge=1, description="number of the page in its file, from 1")
    file: int = Field(1, ge=1, description="number of the file in the request, from 1")
    file_name: str | None = Field(
        None, description="what the sender calls the file; null when it has no name"
    )
    dpi: float | None = Field(
        None,
        gt=0,
        description="resolution that the file states, or that a PDF page was drawn at, dots an inch; "
        "null when it is not known",
    )
    width: int = Field(ge=1, description="width of the page, pixels")
    height: int = Field(ge=1, description="height of the page, pixels")
    skew_deg: float = Field(
        description="angle of the text's baselines, degrees; positive when they rise to the right"
    )
    orientation_deg: Literal[0, 90, 180, 270] = Field(
        description="how far the text is turned clockwise from reading level, degrees; the page's own "
        "coordinates stay, and polygons begin at the text's own top left corner"
    )
    regions: tuple[RegionView, ...] = Field(
        description="lines of text in reading order; empty when there are none, or when the page has an "
        "`error`"
    )
    text: str | None = Field(
        description="the page's text in reading order: rows by line breaks, pieces of a row by spaces or "
        "tabs, paragraphs by empty lines; null when the page has an `error`"
    )
    error: ItemError | None = Field(
        None, description="why the page was not read; null when it was. Other pages are not affected"
    )


class Answer(Answered):
    """A document that was read.

    A page or region on which a stage failed carries its own `error`, and the others are answered.
    When every page failed the whole request fails, with the error of the first.
    """

    request_id: str = Field(description="as in the `X-Request-ID` header")
    pages: tuple[PageView, ...] = Field(description="pages in the order of the files and of their pages")
    timings_ms: dict[str, Milliseconds] = Field(
        description="milliseconds by stage, and `total` from the complete body to the answer; stages overlap"
    )
    engines: dict[str, str] = Field(description="engine by stage")


class Health(Answered):
    """The service is alive."""

    status: str = Field(description="`alive`", examples=["alive"])


class Readiness(Answered):
    """Whether work can be taken."""

    ready: bool = Field(description="true: every stage takes work")
    stages: dict[str, bool] = Field(description="warm or not, by stage")


class Problem(Answered):
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


class JobFailedProblem(Problem):
    """The problem of a result that a failed job does not have."""

    cause: Problem = Field(
        description="the problem that the reading ended with, as in the job's `problem`; its `request_id` is "
        "that of the submission"
    )


class ProblemKind(Answered):
    """What a problem's `type` refers to."""

    code: str = Field(description="the last part of a problem's `type`")
    title: str = Field(description="the kind of problem in words")
    status: int = Field(description="HTTP status")
    retry: bool = Field(description="whether the same request may succeed later")
