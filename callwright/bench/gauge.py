"""What a process has used, as the kernel tells: CPU time of all its threads, resident memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

_CPU_CLOCK_OF_PROCESS = 2


def cpu_s(pid: int) -> float:
    """CPU time of the process in s, user and system, all threads, to the nanosecond. Raises OSError when it is gone."""
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK_OF_PROCESS)


def resident_kb(pid: int) -> float:
    """Resident memory of the process in KB (1024 bytes). Raises OSError when it is gone."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1024
