"""The one door for Python callers."""

from engine.app.engine import Engine, Stop

__all__ = ["Engine", "Stop"]
