"""The one door for Python callers, and for the command line."""

from engine.app.engine import Engine, Stop
from engine.core import errors, events

__all__ = ["Engine", "Stop", "errors", "events"]
