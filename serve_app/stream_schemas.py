"""Wire models of answers that are streamed line by line; see ``serve_app.schemas``."""

from __future__ import annotations

from pydantic import Field

from serve_app.schemas import Answered, Milliseconds, PageView, Problem


class StreamStart(Answered):
    """The first line of a streamed answer."""

    request_id: str = Field(description="as in the `X-Request-ID` header")
    page_count: int = Field(ge=0, description="pages that will be read")
    engines: dict[str, str] = Field(description="engine by stage")


class StageStep(Answered):
    """A page enters a stage; with the parameter `progress`."""

    file: int = Field(ge=1, description="number of the file in the request, from 1")
    page: int = Field(ge=1, description="number of the page in its file, from 1")
    stage: str = Field(
        description="the stage, by the names of `timings_ms`; a page may enter one more than once",
        examples=["detection", "recognition"],
    )


class PagePicture(Answered):
    """What a page looks like, upright; with the parameter `pictures`."""

    file: int = Field(ge=1, description="number of the file in the request, from 1")
    page: int = Field(ge=1, description="number of the page in its file, from 1")
    image: str = Field(
        description="data URL of a JPEG; its size is reduced, while coordinates of regions are pixels of the "
        "page itself",
        examples=["data:image/jpeg;base64,/9j/4AAQSkZJRg..."],
    )


class StreamProblem(Problem):
    """The problem that broke a streamed answer off."""

    retry_after_s: int | None = Field(
        description="seconds after which the same request may succeed, as in `Retry-After`; null where "
        "waiting alone does not help"
    )


class StreamEnd(Answered):
    """The last line of a streamed answer that is complete."""

    page_count: int = Field(ge=0, description="pages that were answered")
    timings_ms: dict[str, Milliseconds] = Field(
        description="milliseconds by stage over all pages, and `total`; stages and pages overlap"
    )


class StreamLine(Answered):
    """One line of a streamed answer: it has exactly one of these."""

    start: StreamStart | None = Field(None, description="comes first")
    picture: PagePicture | None = Field(
        None, description="how a page looks, before its `page`; pages in order, while others are read"
    )
    step: StageStep | None = Field(None, description="what is being done on a page, before its `page`")
    page: PageView | None = Field(None, description="a page, in order")
    problem: StreamProblem | None = Field(
        None, description="comes last when the reading broke off: pages before it hold, others are missing"
    )
    end: StreamEnd | None = Field(None, description="comes last when every page was answered")
