"""The chapter of what sign-ins keep, such as their newest refresh token."""

from __future__ import annotations

from engine.flow.ledger.book import Book


class Kept(Book):
    """What the sign-ins of every tool keep; sealed where the storage has a key."""

    def kept(self, tool: str, name: str) -> str | None:
        """What a sign-in of a tool asked to keep."""
        rows = self._ask("SELECT value FROM kept WHERE tool=? AND name=?", (tool, name))
        return self._seal.plain(str(rows[0][0]), f"kept/{tool}/{name}") if rows else None

    def keep(self, tool: str, name: str, value: str) -> None:
        """Keep it in the place of what was kept before."""
        with self._change() as hand:
            hand.do(
                "INSERT INTO kept VALUES (?,?,?) ON CONFLICT (tool, name) DO UPDATE SET value=excluded.value",
                (tool, name, self._seal.text(value, f"kept/{tool}/{name}")),
            )
