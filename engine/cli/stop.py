"""Ctrl-C and SIGTERM: the first asks the run to stop, the second ends the process at once."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.app import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_SECONDS = 1.0
"""A request that hangs, or a long computation, may not keep a person waiting; what was kept is safe at any moment."""
STOPPED = "stopped"
CANCELLED = "cancelled: what was kept stays kept, and the next run collects anew"
LOST = "stopped, as another engine took over: nothing of this run was published since; look at it with: engine runs"
SHOW_CURSOR = "\x1b[?25h"


def stopped(ctx: click.Context) -> str:
    """What to say of a command that was stopped: how it goes on, as it can be typed."""
    from engine.cli.text import called

    words = ctx.find_root().meta.get("engine.words", [])
    again = shlex.join(word for word in words if word != "--fresh")
    if ctx.meta.get("engine.goes_on"):
        return f"{STOPPED}; what was kept stays kept, and it goes on with: {called()} {again}"
    return f"{STOPPED}; what was there stays as it was; again with: {called()} {again}" if words else STOPPED


@contextmanager
def stopping(stop: Stop, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Signals ask for a stop while this is open; however it was asked for, the process ends soon behind it.

    They are read from a socket by a thread of their own: Python would call a handler only after the computation or
    the request that the main thread is in.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    text = stopped(click.get_current_context())
    timer = threading.Timer(patience_seconds, _end, [stop, text])
    timer.daemon = True

    def soon() -> None:
        with suppress(RuntimeError):  # it was asked for before
            timer.start()

    stop.then = soon
    before = {number: signal.signal(number, _nothing) for number in SIGNALS}
    fd = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(ours, stop, text), daemon=True).start()
    try:
        yield
    finally:
        timer.cancel()
        signal.set_wakeup_fd(fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        theirs.close()


def _nothing(number: int, frame: object) -> None:
    """The thread has heard it."""


def _listen(ours: socket.socket, stop: Stop, text: str) -> None:
    with ours:
        while ours.recv(1):
            if stop.asked.is_set():
                _end(stop, text)
            _say("stopping; once more ends it at once")
            stop.ask()


def _end(stop: Stop, text: str) -> None:
    said = {"cancelled": (CANCELLED, 130), "lost": (LOST, 5)}
    words, code = said.get(stop.why, (text, 130))
    _say(words, SHOW_CURSOR if sys.stderr.isatty() else "")
    os._exit(code)


def _say(text: str, before: str = "") -> None:
    os.write(2, f"{before}\n{text}\n".encode())
