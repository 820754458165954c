"""A time of day that jumps for a whole service, and not for the machine that it runs on."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")
_SHIFT = struct.Struct("=q")


class Clock:
    """What puts a service's clocks forward and back, kept in a folder.

    ``environment`` is for the service's processes; empty where there is no C compiler, ``cc``.
    """

    def __init__(self, folder: Path) -> None:
        self._shift = folder / "shift"
        self.set(0)
        compiler = shutil.which("cc")
        self.environment: dict[str, str] = {}
        if compiler:
            library = folder / "clock.so"
            command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE)]
            subprocess.run(command, check=True)
            self.environment = {"LD_PRELOAD": str(library), "SCRIPTORIUM_CLOCK": str(self._shift)}

    def set(self, shift_s: int) -> None:
        """Seconds by which the clocks are ahead, from now on."""
        # Written over, not anew: the processes have it mapped.
        with self._shift.open("r+b" if self._shift.exists() else "wb") as file:
            file.write(_SHIFT.pack(shift_s))
