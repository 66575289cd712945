"""Threads that work off calls, and that nobody waits for when a run has to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


class Pool(Generic[Key, Made]):
    """At most so many threads, each begun when it is needed; `done` gives what each call made, or raised.

    The threads of concurrent.futures are joined at the end of the process: a vendor that hangs would keep it alive.
    """

    def __init__(self, threads: int) -> None:
        self.done: SimpleQueue[tuple[Key, Made | BaseException]] = SimpleQueue()
        self._calls: SimpleQueue[tuple[Key, Callable[[], Made]] | None] = SimpleQueue()
        self._most, self._begun, self._idle = threads, 0, threading.Semaphore(0)

    def submit(self, key: Key, call: Callable[[], Made]) -> None:
        """Have a thread make this call; `key` comes back with what it made."""
        self._calls.put((key, call))
        if not self._idle.acquire(blocking=False) and self._begun < self._most:
            self._begun += 1
            threading.Thread(target=self._work, name=f"crawl-{self._begun}", daemon=True).start()

    def close(self) -> None:
        """Let each thread end behind the calls that wait."""
        for _ in range(self._begun):
            self._calls.put(None)

    def _work(self) -> None:
        while (found := self._calls.get()) is not None:
            key, call = found
            try:
                self.done.put((key, call()))
            except BaseException as error:  # it is raised where it is waited for
                self.done.put((key, error))
            self._idle.release()
