"""Far more requests than a service can answer, at their times, whatever becomes of those before."""

from __future__ import annotations

import asyncio
import random
import time

import httpx

from benchmarks.soak.traffic import Request, Traffic

# Drawn before, for drawing takes processor time that the service needs; each is sent many times.
_DIFFERENT = 300


def flood(url: str, traffic: Traffic, rate_per_s: float, seconds: float) -> float:
    """Send at a steady rate, and wait for all answers; answers the rate that was kept, per second."""
    rng = random.Random(1)
    requests = [Request.drawn(rng) for _ in range(_DIFFERENT)]
    return asyncio.run(_flood(url, traffic, requests, rate_per_s, seconds))


async def _flood(
    url: str, traffic: Traffic, requests: list[Request], rate_per_s: float, seconds: float
) -> float:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    sent: list[asyncio.Task[None]] = []
    began_s = time.monotonic()
    async with httpx.AsyncClient(base_url=url, limits=limits) as http:
        while (passed_s := time.monotonic() - began_s) < seconds:
            await asyncio.sleep(max(0.0, len(sent) / rate_per_s - passed_s))
            request = requests[len(sent) % len(requests)]
            sent.append(asyncio.create_task(_send(http, traffic, request)))
        rate_kept_per_s = len(sent) / (time.monotonic() - began_s)
        await asyncio.gather(*sent)
    return rate_kept_per_s


async def _send(http: httpx.AsyncClient, traffic: Traffic, request: Request) -> None:
    began_s = time.monotonic()
    try:
        answer = await http.post(
            "/ocr", content=request.body, headers=request.headers, timeout=request.timeout_s
        )
    except httpx.TransportError as error:
        traffic.told(request, began_s, error)
    else:
        traffic.told(request, began_s, answer)
