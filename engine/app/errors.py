"""The errors that callers meet; engine.core.errors draws them as a tree."""

from engine.core.errors import (
    CollectionError,
    ConfigError,
    DataError,
    EngineError,
    Finding,
    Mark,
    SpecError,
    Stopped,
    StorageError,
)

__all__ = [
    "CollectionError",
    "ConfigError",
    "DataError",
    "EngineError",
    "Finding",
    "Mark",
    "SpecError",
    "Stopped",
    "StorageError",
]
