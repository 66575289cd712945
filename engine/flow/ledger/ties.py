"""The chapter of the storage that a database is the ledger of: a database can be reached from more than one."""

from __future__ import annotations

from collections.abc import Callable

from engine.flow.ledger.book import Book

OPEN = " open"
"""Behind the tie of a ledger whose storage has perhaps not noted it yet: a kill may come between the two."""
TIED = "SELECT value FROM about WHERE name='storage'"


class Ties(Book):
    """The tie between a ledger in PostgreSQL and its storage."""

    def tied_to(self) -> str:
        """What its storage says of it; an empty text where it has none yet."""
        rows = self._ask(TIED)
        return str(rows[0][0]).removesuffix(OPEN) if rows else ""

    def tie(self, said: str, say: Callable[[str], None]) -> str:
        """Tie a ledger that is new to a storage that says nothing yet; `say` notes the tie there. Gives the tie."""
        with self._base.change() as hand:
            if not said and not hand.ask(TIED):
                [(new,)] = hand.ask("SELECT CAST(gen_random_uuid() AS TEXT)")
                hand.do("INSERT INTO about (name, value) VALUES ('storage', ?)", [new + OPEN])
        with self._base.change() as hand:
            rows = hand.ask(TIED)
            tie = str(rows[0][0]) if rows else ""
            known = tie.removesuffix(OPEN)
            if tie != known and said in ("", known):
                say(known)
                hand.do("UPDATE about SET value=? WHERE name='storage'", [known])
        return known
