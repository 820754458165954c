"""The contract between a stage and a model.

An engine is a plain synchronous object: no Ray, no asyncio, no queue. A stage drives it in
three steps, each over a list, so that the processor's work on one batch overlaps the model's
work on another:

    prepare   CPU pool     items               -> one Prepared or error per item
    forward   model thread Prepared of a batch -> one raw output per item
    finish    CPU pool     raw outputs         -> one value or error per item

``prepare`` and ``finish`` may run in several threads at once and must not touch the model;
``forward`` and ``warm_up`` run in one dedicated thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from deployments.errors import Outcome

ItemT = TypeVar("ItemT", contravariant=True)
PayloadT = TypeVar("PayloadT")
RawT = TypeVar("RawT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Prepared(Generic[PayloadT]):
    """One item ready for the model.

    ``height`` and ``width`` (pixels) are the size of the model's input for this item. A batch
    is padded to its largest item, so it costs ``len(batch) * max(height) * max(width)`` pixels:
    the batcher packs items of like size.
    """

    payload: PayloadT
    height: int
    width: int


class Engine(Protocol[ItemT, PayloadT, RawT, ResultT]):
    """A detection, classification or recognition model behind three list-to-list steps."""

    name: str

    def prepare(self, items: Sequence[ItemT]) -> list[Outcome[Prepared[PayloadT]]]:
        """Turn items into model inputs; a bad item yields its error and harms no other."""
        ...

    def forward(self, batch: Sequence[Prepared[PayloadT]]) -> list[RawT]:
        """Run the model once on a non-empty batch; outputs in the order of the batch."""
        ...

    def finish(self, raw: Sequence[RawT]) -> list[Outcome[ResultT]]:
        """Turn raw outputs into results."""
        ...

    def warm_up(self) -> None:
        """Run the largest shape once, and choose the fastest numeric format on a CPU."""
        ...

    def configure(self, tuning: Any) -> None:
        """Take new thresholds (the stage's ``*Tuning`` model) between two batches."""
        ...
