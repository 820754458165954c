"""Telling a model that is broken from pages that break it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

_DOUBTFUL_STEPS = 3


class Doubt:
    """After some steps in a row in which every item failed, tries the model on an image that is known.

    A replica must not be replaced for pages that were made to fail. A device whose context is lost fails
    on everything, faster than others work, and so draws their traffic.

    Args:
        try_model: raises where the model fails on the known image.
    """

    def __init__(self, try_model: Callable[[], Awaitable[None]]) -> None:
        self.broken = ""
        self._try_model = try_model
        self._failed_steps = 0
        self._trial: asyncio.Task[None] | None = None

    def count(self, *, failed: bool) -> None:
        """A step is over; ``failed`` if none of its items was answered. Called in the event loop."""
        self._failed_steps = self._failed_steps + 1 if failed else 0
        if self._failed_steps >= _DOUBTFUL_STEPS and (self._trial is None or self._trial.done()):
            self._failed_steps = 0
            self._trial = asyncio.create_task(self._try(), name="model-trial")

    async def _try(self) -> None:
        try:
            await self._try_model()
        except Exception as error:
            self.broken = f"{type(error).__name__}: {error}"
            logger.exception("The model fails on a blank image, too")
