"""Words that say how bad something is: their colour and their order, worst first."""

from __future__ import annotations

from collections.abc import Iterable

TONES = {
    "critical": "critical",
    "severe": "critical",
    "high": "high",
    "major": "high",
    "medium": "medium",
    "moderate": "medium",
    "warning": "medium",
    "low": "low",
    "minor": "low",
    "minimal": "none",
    "info": "none",
    "none": "none",
    "unknown": "none",
    "unspecified": "none",
    "not applicable": "none",
    "fail": "bad",
    "failed": "bad",
    "error": "bad",
    "revoked": "bad",
    "expired": "bad",
    "denied": "bad",
    "pending": "medium",
    "inactive": "none",
    "disabled": "none",
    "archived": "none",
    "pass": "good",
    "passed": "good",
    "ok": "good",
    "approved": "good",
    "active": "good",
    "enabled": "good",
}
"""Word in lower case -> tone; the order of the words is the order in which they are drawn and sorted."""

RANKS = {word: rank for rank, word in enumerate(TONES)}


def plain(word: str) -> str:
    """The word as it stands in TONES: `NOT_APPLICABLE` is `not applicable`."""
    return word.lower().replace("_", " ")


def tone(word: str) -> str | None:
    """The tone of a word, or None when it says nothing of the kind."""
    return TONES.get(plain(word))


def rank(word: str) -> int:
    """Where the word stands among the others, worst first."""
    return RANKS.get(plain(word), len(RANKS))


def all_toned(words: Iterable[str]) -> bool:
    """Whether these are such words, all of them, and not a name that happens to be one."""
    found = set(words)
    return bool(found) and all(tone(word) for word in found)
