"""Times that fit together: made before changed, changed before deployed; only what expires may lie ahead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from random import Random

from engine.author.simulate.facts import Facts
from engine.author.simulate.judge import UNITS
from engine.author.simulate.shape import Shape
from engine.core import times as core
from engine.core.clock import rfc3339
from engine.core.errors import Json

DAY = 86_400.0
SATURDAY = 5
AGES = (
    (re.compile(r"deploy|publish|assess|evaluat|calculat|complet|finish|end|close|resolve|fix"), 2),
    (re.compile(r"expir|due|until|valid|deadline|next|renew"), 3),
    (re.compile(r"creat|issue|first|start|regist|open|since|joined|added|born|discover"), 0),
)
SERIES = re.compile(r"timestamp|time|date|day|ts|at|hour|bucket|period|interval")


def age(what: str) -> int:
    """0 for when something began, 1 for when it changed, 2 for when something was done with it, 3 for when it ends."""
    if re.search(r"last|update|modif", what) and not re.search(r"expir|first", what):
        return 1
    return next((rank for pattern, rank in AGES if pattern.search(what)), 1)


def ordered(leaves: Mapping[Shape, Facts], since: float, now: float, rng: Random) -> dict[Shape, float]:
    """A time for each of the values of one object, in seconds since the epoch."""
    found: dict[Shape, float] = {}
    born, latest = since, since
    for leaf, facts in sorted(leaves.items(), key=lambda pair: age(pair[1].what)):
        rank = age(facts.what)
        if rank == 0:
            at = since + (now - since) * rng.random() ** 0.9
            born = min(at, born) if born > since else at
        elif rank == 3:
            ahead = rng.random() < 0.75
            at = now + rng.uniform(5, 400) * DAY if ahead else latest + (now - latest) * rng.random()
        else:
            # What goes on changes often: most of it was touched lately.
            start = latest if rank == 2 else born
            at = now - (now - start) * rng.random() ** 2.2
        latest = max(latest, at) if rank < 3 else latest
        found[leaf] = at
    return found


def bustle(at: float) -> float:
    """How much goes on at a time: less at weekends."""
    return 0.6 if datetime.fromtimestamp(at, UTC).weekday() >= SATURDAY else 1.0


def series(now: float, count: int) -> Sequence[float]:
    """The starts of so many days, the last of them today."""
    today = now - now % DAY
    return [today - DAY * back for back in range(count - 1, -1, -1)]


def written(at: float, facts: Facts) -> Json:
    """A time as the vendor writes it: epoch numbers as text where the page names a unit, else RFC 3339."""
    moment = datetime.fromtimestamp(int(at), UTC)
    if facts.unit:
        return str(int(at) * UNITS[facts.unit])
    if facts.form:
        return core.written(moment, facts.form)
    return moment.date().isoformat() if facts.type == "date" else rfc3339(moment)
