"""How what is kept is sealed: with a key everything is encrypted, without one it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seal:
    """The key of a storage; without one nothing is sealed."""

    key: bytes | None = None


PLAIN = Seal()
