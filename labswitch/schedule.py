"""What is to happen to a call later: `sched_transfer`, taken back with `sched_cancel` or `sched_del`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable


class Schedule:
    """Tasks in groups; a call's tasks are in the group of its uuid. A real FreeSWITCH is up to half a second late."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._tasks: dict[int, tuple[str, asyncio.TimerHandle]] = {}

    def add(self, after_s: float, group: str, work: Callable[[], None]) -> int:
        """Do `work` once, later; the number by which it can be taken back."""
        number = next(self._ids)

        def due() -> None:
            del self._tasks[number]
            work()

        self._tasks[number] = group, self._loop.call_later(max(0.0, after_s), due)
        return number

    def cancel(self, what: str) -> int:
        """Take back the task of that number, or all of that group; how many there were."""
        found = [n for n, (group, _) in self._tasks.items() if what in (group, str(n))]
        for number in found:
            self._tasks.pop(number)[1].cancel()
        return len(found)

    def close(self) -> None:
        """Nothing happens any more."""
        for _, timer in self._tasks.values():
            timer.cancel()
        self._tasks.clear()
