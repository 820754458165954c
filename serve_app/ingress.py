"""The Serve shell around the HTTP application: handles become async callables, errors become ours."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, aclosing
from typing import Any

import grpc
from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from deployments.errors import OcrError, Overloaded, StageFailed, StageUnavailable
from deployments.shared_images import NotShared, SharedBuffers
from deployments.tracing import log_through_serve
from deployments.types import Image
from serve_app.api import create_api
from serve_app.config import AppConfig
from serve_app.deadline import remaining_s
from serve_app.pages import SourcePage
from serve_app.pipeline import OcrPipeline, Recogniser
from serve_app.reader import ReadOptions
from serve_app.results import PageResult
from serve_app.telemetry import DocumentMetrics

logger = logging.getLogger("ray.serve")

# A stage that answered within this time is warm without being asked; asking takes a queue slot.
READY_FRESH_S = 10.0
READY_TIMEOUT_S = 2.0


class StageClient:
    """Calls one stage over its handle, with our errors, one retry, and cancellation that works.

    Images go in shared memory and the rest over gRPC, as long as the replicas are on this machine;
    else all of it through Ray's object store (docs/decisions/0016-images-in-shared-memory.md).

    A stage call is idempotent, so one whose replica dies is sent again, once. Serve does not
    cancel a by-reference call with its awaiter (measured), so a cancelled call is withdrawn here.
    What is left of the request's deadline goes along. ``refused`` is told the stage and the reason
    of every call that was not taken.
    """

    def __init__(
        self, stage: str, handle: DeploymentHandle[Any], refused: Callable[[str, str], None]
    ) -> None:
        self._stage = stage
        self._handle = handle
        self._near = handle.options(_by_reference=False)
        self._buffers: SharedBuffers | None = SharedBuffers()
        self._refused = refused
        self._answered_s = -READY_FRESH_S

    async def __call__(self, items: Sequence[Image]) -> list[Any]:
        """One outcome per image.

        Raises:
            Overloaded, StageUnavailable: try later.
            StageFailed: the call as a whole failed.
        """
        try:
            return await self._call(items)
        except RayActorError as error:
            logger.warning("%s: a replica died (%s); sending the call again", self._stage, error)
            self._refused(self._stage, "replica_died")
        try:
            return await self._call(items)
        except RayActorError as error:
            raise StageUnavailable(f"The {self._stage} stage is restarting", retry_after_s=5) from error

    async def ready(self) -> bool:
        """Whether a warm replica answers; a recent answer to any call counts."""
        if time.monotonic() - self._answered_s < READY_FRESH_S:
            return True
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._await(self._handle.status.remote())
        except (TimeoutError, OcrError, RayActorError):
            return False
        return True

    async def _call(self, items: Sequence[Image]) -> list[Any]:
        if self._buffers is not None:
            try:
                return await self._call_near(items, self._buffers)
            except NotShared:
                logger.info("%s: has replicas on other machines; images go through Ray", self._stage)
                self._share_no_more()
            except grpc.aio.AioRpcError as error:
                # Say, an answer too large for gRPC.
                logger.warning("%s: %s; sending the call through Ray", self._stage, error.code())
        answer: list[Any] = await self._await(self._handle.remote(items, remaining_s()))
        return answer

    def _share_no_more(self) -> None:
        if self._buffers is not None:
            self._buffers.close()
            self._buffers = None

    async def _call_near(self, items: Sequence[Image], buffers: SharedBuffers) -> list[Any]:
        with ExitStack() as loans:
            shared = await asyncio.to_thread(lambda: loans.enter_context(buffers.lend(items)))
            answer: list[Any] = await self._await(self._near.remote(shared, remaining_s()))
        return answer

    async def _await(self, response: Any) -> Any:
        try:
            answer = await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        except BackPressureError as error:
            self._refused(self._stage, "queue_full")
            raise Overloaded(f"The {self._stage} stage is overloaded") from error
        except DeploymentUnavailableError as error:
            self._refused(self._stage, "unavailable")
            raise StageUnavailable(f"The {self._stage} stage is unavailable", retry_after_s=5) from error
        except RayTaskError as error:
            if isinstance(error.cause, OcrError):
                raise error.cause from error
            raise self._failed(error) from error
        except (OcrError, RayActorError, grpc.aio.AioRpcError):
            # Over gRPC errors of stages come as they were raised; what to do about the others says _call.
            raise
        except Exception as error:
            raise self._failed(error) from error
        self._answered_s = time.monotonic()
        return answer

    def _failed(self, error: Exception) -> StageFailed:
        logger.error("%s: the call failed", self._stage, exc_info=error)
        return StageFailed(f"The {self._stage} stage failed")


@serve.deployment
@serve.ingress()
class OcrIngress:
    """Receives documents over HTTP and takes their pages through the stages."""

    def __init__(
        self,
        config: AppConfig,
        detection: DeploymentHandle[Any],
        classification: DeploymentHandle[Any],
        recognition: Mapping[str, DeploymentHandle[Any]],
    ) -> None:
        log_through_serve()
        self._metrics = DocumentMetrics()
        refused = self._metrics.stage_refused
        readers = {
            engine: StageClient("recognition", handle, refused) for engine, handle in recognition.items()
        }
        self._stages = {
            "detection": StageClient("detection", detection, refused),
            "classification": StageClient("classification", classification, refused),
        } | {f"recognition.{engine}": reader for engine, reader in readers.items()}
        self._config = config
        self._pipeline = OcrPipeline(
            self._stages["detection"],
            self._stages["classification"],
            {
                kind: Recogniser(engine, readers[engine])
                for kind, engine in config.recognition.by_kind.items()
            },
            config.pipeline,
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The HTTP application; Serve calls this in the replica, after the constructor."""
        return create_api(self, self._config, echo_request_id=False, observer=self._metrics)

    async def check_health(self) -> None:
        """Nothing to do but to be answered: Serve asks in the loop that answers requests.

        Without this it asks another one, and an ingress whose loop stands still counts as healthy.
        """

    @property
    def engines(self) -> Mapping[str, str]:
        """The engine of every stage."""
        return self._config.engines

    async def stream(
        self, pages: AsyncIterator[SourcePage], options: ReadOptions
    ) -> AsyncGenerator[PageResult]:
        """Read decoded pages; see ``OcrPipeline.stream``."""
        with self._metrics.document() as record:
            async with aclosing(self._pipeline.stream(pages, options)) as results:
                async for result in results:
                    record.page(result)
                    yield result

    async def readiness(self) -> dict[str, bool]:
        """Whether each stage has a warm replica."""
        answers = await asyncio.gather(*(stage.ready() for stage in self._stages.values()))
        return dict(zip(self._stages, answers, strict=True))
