"""The chapter of what sign-ins keep, such as their newest refresh token, and of the key that rows are named with."""

from __future__ import annotations

from engine.core import commit
from engine.flow.ledger.book import Book
from engine.flow.seal import new_key

NAMING = " naming"
"""The name of that key; no sign-in has one like it."""


class Kept(Book):
    """What the sign-ins of every tool keep; sealed where the storage has a key."""

    def kept(self, tool: str, name: str) -> str | None:
        """What a sign-in of a tool asked to keep."""
        rows = self._ask("SELECT value FROM kept WHERE tool=? AND name=?", (tool, name))
        return self._seal.plain(str(rows[0][0]), f"kept/{tool}/{name}") if rows else None

    def naming(self, tool: str) -> bytes:
        """The key that rows which are set apart are named with: nobody can guess from its name what is masked in a row.

        It is made at its first use, and stays.
        """
        if self.kept(tool, NAMING) is None:
            text = self._seal.text(commit.naming or new_key(), f"kept/{tool}/{NAMING}")
            with self._change() as hand:
                hand.do("INSERT INTO kept VALUES (?,?,?) ON CONFLICT (tool, name) DO NOTHING", (tool, NAMING, text))
        return (self.kept(tool, NAMING) or "").encode()

    def keep(self, tool: str, name: str, value: str) -> None:
        """Keep it in the place of what was kept before."""
        with self._change() as hand:
            hand.do(
                "INSERT INTO kept VALUES (?,?,?) ON CONFLICT (tool, name) DO UPDATE SET value=excluded.value",
                (tool, name, self._seal.text(value, f"kept/{tool}/{name}")),
            )
