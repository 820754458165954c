"""Configuration of the application: the ``args`` of serve_config.yaml, as one frozen tree.

What needs a restart stands here (engines, weights, limits). Thresholds and batch bounds are in
each deployment's ``user_config`` (the stages' ``*Tuning`` models), replicas and resources in its
own block. Unknown keys are errors. Nothing is read from files or the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deployments.classification.config import ClassificationArgs
from deployments.detection.config import DetectionArgs
from deployments.recognition.config import EngineName as RecognitionEngine
from deployments.recognition.config import RecognitionArgs
from deployments.types import Kind
from serve_app.jobs.config import JobsConfig
from serve_app.middleware.config import Access
from serve_app.pages import BYTES_PER_PIXEL, MAX_PIXELS

# Names of the stages' deployments, with or without Serve.
DETECTION, CLASSIFICATION = "Detection", "Classification"


def recognition_name(engine: str) -> str:
    """Name of the deployment of a recognition engine."""
    return f"Recognition{engine.capitalize()}"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecognitionChoice(_Frozen):
    """Which engine reads which kind of line; each engine in use is a deployment of its own."""

    printed: RecognitionEngine = Field("crnn", description="engine that reads printed lines")
    handwritten: RecognitionEngine = Field("crnn", description="engine that reads handwritten lines")
    engines: Mapping[RecognitionEngine, RecognitionArgs] = Field(
        default_factory=dict,
        description="weights and device by engine; an engine not listed uses its shipped weights",
    )

    @property
    def by_kind(self) -> dict[Kind, RecognitionEngine]:
        """The engine of every kind."""
        return {Kind.PRINTED: self.printed, Kind.HANDWRITTEN: self.handwritten}

    @property
    def in_use(self) -> dict[RecognitionEngine, RecognitionArgs]:
        """Arguments of the engines in use, in a fixed order."""
        names = sorted({self.printed, self.handwritten})
        return {name: self.engines.get(name, RecognitionArgs(engine=name)) for name in names}

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        for name, args in self.engines.items():
            if args.engine != name:
                raise ValueError(f"engines.{name}.engine is {args.engine!r}; it must be {name!r}")
        return self


class Limits(_Frozen):
    """What a request may ask for. Beyond a limit it is refused with the error that is named."""

    max_body_bytes: int = Field(
        32 * 2**20, ge=1, description="body of a request, bytes, counted while it arrives (413)"
    )
    max_bodies_bytes: int = Field(
        2**30, ge=1, description="bodies that one ingress replica holds until they are answered, bytes (503)"
    )
    max_head_bytes: int = Field(
        64 * 2**10, ge=2**10, description="path, query and headers of a request together, bytes (431)"
    )
    max_body_s: float = Field(300.0, gt=0, description="time that a body may take to arrive, seconds (408)")
    max_body_idle_s: float = Field(
        30.0, gt=0, description="pause between two pieces of a body, seconds (408)"
    )
    max_pixels: int = Field(
        60_000_000,
        ge=1,
        le=MAX_PIXELS,
        description="pixels of one page, read from its header (413); decoders take 178 million",
    )
    max_side_px: int = Field(20_000, ge=1, description="longer side of a page, pixels (413)")
    min_side_px: int = Field(8, ge=1, description="shorter side of a page, pixels (422)")
    max_files: int = Field(20, ge=1, description="files of one multipart request (413)")
    max_pages: int = Field(500, ge=1, description="pages that one request has read (413)")
    max_document_pixels: int = Field(
        3_000_000_000, ge=1, description="pixels of all pages of one request together (413)"
    )
    max_render_s: float = Field(10.0, gt=0, description="drawing one page of a PDF, seconds (413)")
    max_decoded_bytes: int = Field(
        2**30,
        ge=1,
        description="decoded pages that one ingress replica holds at a time, bytes; more wait to be decoded. "
        "A page on its way to detection is there twice",
    )
    request_deadline_s: float = Field(
        60.0, gt=0, description="time from the complete body to the answer, seconds (504)"
    )
    max_documents_in_work: int = Field(
        16, ge=1, description="documents of one ingress replica that are read at a time; more wait in order"
    )
    max_wait_share: float = Field(
        0.35,
        gt=0,
        le=1,
        description="a document is refused if its expected wait exceeds this share of its deadline (503)",
    )
    max_concurrent_documents: int = Field(
        2,
        ge=1,
        description="documents that one ingress replica decodes at a time, each in a process; more wait",
    )
    max_decode_s: float = Field(
        20.0, gt=0, description="opening a document, or decoding a page, before its decoder is killed (422)"
    )
    max_decode_memory_bytes: int = Field(
        4 * 2**30, ge=2**29, description="address space of a decoder process, bytes (413 or 422 beyond)"
    )

    @model_validator(mode="after")
    def _one_body_has_room(self) -> Self:
        if self.max_body_bytes > self.max_bodies_bytes:
            raise ValueError("max_bodies_bytes must be at least max_body_bytes")
        return self

    @model_validator(mode="after")
    def _one_page_has_room(self) -> Self:
        if self.max_pixels * BYTES_PER_PIXEL > self.max_decoded_bytes:
            raise ValueError(f"max_decoded_bytes must be at least {BYTES_PER_PIXEL} * max_pixels")
        return self


class PipelineOptions(_Frozen):
    """How a page is taken through the stages."""

    crop_height_px: int = Field(
        64, ge=16, description="lines are cut at their own height, reduced to this, pixels"
    )
    crop_margin: float = Field(
        0.04, ge=0, le=1, description="widening of a line's cut on all sides, share of its height"
    )
    pages_in_flight: int = Field(
        4, ge=1, description="pages of one document that are in the stages at a time"
    )
    closer_looks: int = Field(
        2,
        ge=0,
        le=3,
        description="further looks at a page whose letters come out tiny, in parts that show them larger",
    )
    max_page_lines: int = Field(
        2000, ge=1, description="lines kept of a page that was looked at in parts, the surest"
    )


class AppConfig(_Frozen):
    """All of ``args`` in serve_config.yaml. The defaults read a scan on a laptop."""

    detection: DetectionArgs = Field(default_factory=DetectionArgs)
    classification: ClassificationArgs = Field(default_factory=ClassificationArgs)
    recognition: RecognitionChoice = Field(default_factory=RecognitionChoice)
    pipeline: PipelineOptions = Field(default_factory=PipelineOptions)
    limits: Limits = Field(default_factory=Limits)
    access: Access = Field(default_factory=Access)
    jobs: JobsConfig | None = Field(default_factory=JobsConfig)

    @property
    def engines(self) -> dict[str, str]:
        """The engine of every stage, as answers name them: ``recognition.<kind>`` for each kind."""
        stages: dict[str, str] = {
            "detection": self.detection.engine,
            "classification": self.classification.engine,
        }
        recognition: dict[str, str] = {
            f"recognition.{kind}": engine for kind, engine in self.recognition.by_kind.items()
        }
        return stages | recognition

    @model_validator(mode="after")
    def _one_job_has_room(self) -> Self:
        if self.jobs is not None:
            room = min(self.limits.max_bodies_bytes, self.jobs.max_stored_bytes)
            if self.jobs.max_body_bytes > room:
                raise ValueError(
                    "jobs.max_body_bytes must not be above limits.max_bodies_bytes or jobs.max_stored_bytes"
                )
        return self
