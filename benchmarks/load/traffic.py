"""The traffic model: when which document comes. Pure and seeded; whether anybody answers is no part of it.

An open loop: documents come when the model says, however long the answers to earlier ones take, as
they do from people who know nothing of each other. Arrivals are a Poisson process whose rate is a
straight line within each phase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DocumentKind(_Frozen):
    """What documents of a kind look like: a page of so many lines, all of one hand."""

    lines: tuple[int, int] = Field(description="least and greatest number of lines")
    size_px: tuple[int, int] = Field(description="least width and height of the page, pixels")
    handwritten: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> DocumentKind:
        if not 0 <= self.lines[0] <= self.lines[1]:
            raise ValueError("lines: the least must not be above the greatest")
        return self


# Letters by hand are mostly lines: they load recognition. Large scans with a caption load detection.
KINDS: Mapping[str, DocumentKind] = {
    "letter": DocumentKind(lines=(20, 28), size_px=(240, 400), handwritten=True),
    "scan": DocumentKind(lines=(1, 1), size_px=(1000, 1400)),
    "receipt": DocumentKind(lines=(6, 12), size_px=(240, 400)),
}


class Phase(_Frozen):
    """A stretch of time: the rate goes from its first to its last value, and the mix stays."""

    name: str
    duration_s: float = Field(gt=0)
    documents_per_s: tuple[float, float] = Field(description="rate at its beginning and at its end")
    mix: Mapping[str, float] = Field(min_length=1, description="weight of each kind of document")

    @model_validator(mode="after")
    def _possible(self) -> Phase:
        if min(self.documents_per_s) < 0:
            raise ValueError("documents_per_s: a rate is not negative")
        if unknown := self.mix.keys() - KINDS.keys():
            raise ValueError(f"mix: no kind of document is called {sorted(unknown)[0]!r}")
        if min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            raise ValueError("mix: weights are not negative, and not all 0")
        return self

    def rate(self, since_s: float) -> float:
        """Documents each second, ``since_s`` after its beginning."""
        first, last = self.documents_per_s
        return first + (last - first) * since_s / self.duration_s


class Arrival(_Frozen):
    """One document: ``number`` counts from 0 and, with the seed, tells all that is written on it."""

    number: int
    at_s: float
    phase: str
    kind: str


def arrivals(phases: Sequence[Phase], seed: int) -> Iterator[Arrival]:
    """All documents in the order of their coming, by thinning a process of the phase's highest rate."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    number, begin_s = 0, 0.0
    for phase in phases:
        highest, since_s = max(phase.documents_per_s), 0.0
        kinds = sorted(phase.mix)
        weights = np.array([phase.mix[kind] for kind in kinds])
        while highest > 0:
            since_s += float(rng.exponential(1 / highest))
            if since_s >= phase.duration_s:
                break
            if rng.random() * highest < phase.rate(since_s):
                kind = str(rng.choice(kinds, p=weights / weights.sum()))
                yield Arrival(number=number, at_s=begin_s + since_s, phase=phase.name, kind=kind)
                number += 1
        begin_s += phase.duration_s


def duration_s(phases: Sequence[Phase]) -> float:
    """How long the traffic lasts."""
    return sum(phase.duration_s for phase in phases)
