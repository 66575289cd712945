"""The one door for Python callers, and for the command line."""

from engine.app import errors
from engine.app.engine import Engine
from engine.app.stop import Stop
from engine.core import events

__all__ = ["Engine", "Stop", "errors", "events"]
