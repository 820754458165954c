"""Device and numeric format of a torch model.

On CUDA: half precision by autocast, bf16 where the card has it. On a CPU: bf16 only where it was
measured to be faster than f32 on the model itself, since processors without bf16 units emulate it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import torch

from deployments import gpu_memory

logger = logging.getLogger(__name__)


def select_device(name: str, memory_fraction: float | None = None) -> torch.device:
    """Device of ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes CUDA where there is any.

    ``memory_fraction`` bounds what this process may take of the device's memory.

    Raises:
        ValueError: the name is no device, or the machine does not have it.
    """
    device = _existing_device(name)
    gpu_memory.limit(device, memory_fraction)
    return device


def _existing_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {name!r}: not one of auto, cpu, cuda, cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device {name!r}: not one of auto, cpu, cuda, cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices")
    return device


class Precision:
    """The autocast format in use on a device. Starts at f32 on a CPU until :meth:`choose` measures."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.dtype = _cuda_dtype(device) if device.type == "cuda" else torch.float32

    def autocast(self) -> torch.autocast:
        """Context in which a model runs in the chosen format."""
        enabled = self.dtype != torch.float32
        dtype = self.dtype if enabled else torch.bfloat16
        return torch.autocast(self.device.type, dtype=dtype, enabled=enabled)

    def choose(self, step: Callable[[], object], repeats: int = 3) -> float:
        """Time ``step`` in f32 and bf16 on a CPU and keep the faster; on CUDA run it once.

        Args:
            step: one model step that runs under :meth:`autocast` by itself.
            repeats: timed runs of each format, after one that is not timed.

        Returns:
            Seconds of processor time that a step takes in the chosen format; 0 on CUDA.
        """
        if self.device.type != "cpu":
            step()
            return 0.0
        seconds = {}
        for dtype in (torch.float32, torch.bfloat16):
            self.dtype = dtype
            seconds[dtype] = processor_time_s(step, repeats)
        self.dtype = min(seconds, key=seconds.__getitem__)
        logger.info(
            "CPU precision: %s (f32 %.1f ms, bf16 %.1f ms a step)",
            str(self.dtype).removeprefix("torch."),
            1000 * seconds[torch.float32],
            1000 * seconds[torch.bfloat16],
        )
        return seconds[self.dtype]


def _cuda_dtype(device: torch.device) -> torch.dtype:
    with torch.cuda.device(device):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def processor_time_s(step: Callable[[], object], repeats: int = 3) -> float:
    """Least processor time of a step: a replica often starts while others do, and shares its core.

    ``repeats`` are timed, after one that is not.
    """
    step()
    seconds = []
    for _ in range(repeats):
        started_s = time.process_time()
        step()
        seconds.append(time.process_time() - started_s)
    return min(seconds)
