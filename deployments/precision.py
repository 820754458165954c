"""Device and numeric format of a torch model.

On CUDA: half precision by autocast, bf16 where the card has it and does not emulate it. On a CPU: bf16
only where it was measured to be faster than f32 on the model itself; processors without bf16 units take
several times as long for it and are not asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import torch

from deployments import gpu_memory

logger = logging.getLogger(__name__)

_BF16_UNITS = ("avx512_bf16", "amx_bf16", "avx_ne_convert")


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
        for dtype in (torch.float32, torch.bfloat16) if _may_have_bf16() else (torch.float32,):
            self.dtype = dtype
            seconds[dtype] = processor_time_s(step, repeats)
        self.dtype = min(seconds, key=seconds.__getitem__)
        measured = ", ".join(f"{_name(dtype)} {1000 * each:.1f} ms a step" for dtype, each in seconds.items())
        logger.info("CPU precision: %s (%s)", _name(self.dtype), measured)
        return seconds[self.dtype]


def _may_have_bf16() -> bool:
    """Whether the processor multiplies bf16 by itself; one that is not x86 does not say, and may."""
    has = torch.cpu.get_capabilities()
    return has.get("architecture") != "x86_64" or any(has.get(unit, False) for unit in _BF16_UNITS)


def _cuda_dtype(device: torch.device) -> torch.dtype:
    with torch.cuda.device(device):
        # Cards before Ampere hold bf16 tensors and emulate their products.
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bf16 else torch.float16


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


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
