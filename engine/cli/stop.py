"""Ctrl-C and SIGTERM: the first asks the run to stop, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.app import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_SECONDS = 1.0
"""A request that hangs, or a long computation, may not keep a person waiting; what was kept is safe at any moment."""
STOPPED = "stopped; what was kept stays kept; run it again: it starts anew"
SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stopping(stop: Stop, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Signals ask for a stop while this is open.

    They are read from a socket by a thread of their own: Python would call a handler only after the computation or
    the request that the main thread is in.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = {number: signal.signal(number, _nothing) for number in SIGNALS}
    fd = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(ours, stop, patience_seconds), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        theirs.close()


def _nothing(number: int, frame: object) -> None:
    """The thread has heard it."""


def _listen(ours: socket.socket, stop: Stop, patience_seconds: float) -> None:
    timer = threading.Timer(patience_seconds, _end, [STOPPED])
    timer.daemon = True
    with ours:
        while ours.recv(1):
            if stop.asked.is_set():
                _end(STOPPED)
            stop.asked.set()
            _say("stopping; once more ends it at once")
            timer.start()
    timer.cancel()


def _end(text: str) -> None:
    _say(text, SHOW_CURSOR if sys.stderr.isatty() else "")
    os._exit(130)


def _say(text: str, before: str = "") -> None:
    os.write(2, f"{before}\n{text}\n".encode())
