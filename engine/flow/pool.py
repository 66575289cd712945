"""Threads that work off calls, and that nobody waits for when a run has to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Made = TypeVar("Made")


class Pool:
    """At most so many threads, each begun when it is needed.

    The threads of concurrent.futures are joined at the end of the process: a vendor that hangs would keep it alive.
    """

    def __init__(self, threads: int, name: str = "crawl") -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._most, self._name, self._begun = threads, name, 0
        self._idle, self._lock = threading.Semaphore(0), threading.Lock()

    def submit(self, call: Callable[[], Made]) -> Future[Made]:
        """Have a thread make this call; the future gives what it made, or raises."""
        future: Future[Made] = Future()
        self._calls.put((future, call))
        if not self._idle.acquire(blocking=False):
            self._begin()
        return future

    def close(self) -> None:
        """Let each thread end behind the calls that wait."""
        for _ in range(self._begun):
            self._calls.put(None)

    def _begin(self) -> None:
        with self._lock:
            if self._begun == self._most:
                return
            self._begun += 1
        threading.Thread(target=self._work, name=f"{self._name}-{self._begun}", daemon=True).start()

    def _work(self) -> None:
        while (found := self._calls.get()) is not None:
            future, call = found
            try:
                future.set_result(call())
            except BaseException as error:  # it is raised where it is waited for
                future.set_exception(error)
            self._idle.release()
