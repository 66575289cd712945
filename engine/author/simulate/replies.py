"""Answers in which the page's own expressions hold: JMESPath turned inside out, then tried."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from engine.author.simulate.form import words_of
from engine.author.simulate.shape import Shape, grow, settle
from engine.core import select
from engine.core.clock import rfc3339
from engine.core.errors import Json
from engine.core.wire import as_text
from engine.spec.answers import Response, Retry, Wait, When
from engine.spec.collect import Endpoint

TRIES = 3_000
ABSENT = object()


@dataclass(frozen=True)
class Reply:
    """What a vendor says besides records."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: Json = None

    def meets(self, expression: str) -> bool:
        """Whether an expression over the page is true."""
        root = {"answer": self.answer, "headers": dict(self.headers), "status": self.status}
        try:
            return bool(select.compile(expression).search(root))
        except select.SelectError:
            return False


def reply(
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    holds: Sequence[str] = (),
    fails: Sequence[str] = (),
    gives: Mapping[str, Sequence[Json]] | None = None,
) -> Reply | None:
    """An answer for which some expressions over the page are true, others are not, and some give these values.

    None where there is none of the simple kind that is tried.
    """
    root = Shape()
    settled: dict[Shape, Sequence[Json]] = {root.under("status"): [status]}
    settled |= {root.under("headers").under(name.lower()): [text] for name, text in (headers or {}).items()}
    for expression, values in (gives or {}).items():
        for shape in grow(root, expression).shapes[:1]:
            settled |= {one: [value[name] for value in values] for name, one in shape.aliases.items()}
            settled |= {} if shape.aliases else {shape: values}
    for expression in (*holds, *fails):
        grow(root, expression)
    settle(root)
    free = [one for one in root.walk() if one.kind == "leaf" and one.fixed is None and one not in settled]
    for chosen in itertools.islice(itertools.product(*map(_candidates, free)), TRIES):
        page = _built(root, {**settled, **{leaf: [value] for leaf, value in zip(free, chosen, strict=True)}})
        texts = {name: as_text(value) for name, value in page.get("headers", {}).items()}
        found = Reply(status, texts, page.get("answer", {}))
        if all(map(found.meets, holds)) and not any(map(found.meets, fails)):
            return found
    return None


def _candidates(leaf: Shape) -> Iterator[Json]:
    """Values to try, those that the page compares with first."""
    numbers = [one for one in leaf.hints if isinstance(one, (int, float)) and not isinstance(one, bool)]
    near = [one + step for one in numbers for step in (1, -1)]
    seen: list[Json] = []
    for value in (*leaf.hints, *near, "pending", True, False, 1, 0, ABSENT):
        if not any(value is one or (type(value) is type(one) and value == one) for one in seen):
            seen.append(value)
            yield value


def _built(shape: Shape, values: Mapping[Shape, Sequence[Json]], at: int = 0) -> Json:
    """A value of the shape; `at` counts the elements of the list around it."""
    if shape in values:
        return values[shape][min(at, len(values[shape]) - 1)]
    if shape.fixed is not None:
        return shape.fixed
    if shape.kind == "list":
        elements = [*shape.variants.values(), *([shape.element] if shape.element else [])]
        found = [_built(one, values, n) for one in elements for n in range(max(1, _many(one, values)))]
        return [one for one in found if one is not ABSENT]
    if shape.kind == "map":
        return {"simulated": _built(shape.element, values)} if shape.element else {}
    if shape.kind == "object":
        made = {name: _built(child, values, at) for name, child in shape.fields.items()}
        return {name: value for name, value in made.items() if value is not ABSENT}
    return "simulated"


def _many(shape: Shape, values: Mapping[Shape, Sequence[Json]]) -> int:
    return max((len(values[one]) for one in shape.walk() if one in values), default=1)


# --- what the page expects of its vendor, and bears


def troubles(endpoint: Endpoint, now: float) -> list[Reply]:
    """An answer for each of the endpoint's rules after which it is asked again: a vendor gives each of them once."""
    found = []
    for rule in endpoint.responses:
        made = _trouble(rule, now)
        first = next((one for one in endpoint.responses if made and _fits(one.when, made)), None)
        if made and first is rule and not (words_of(endpoint) and made.status < 300):
            found.append(made)
    return found


def _trouble(rule: Response, now: float) -> Reply | None:
    verb, when = rule.verb, rule.when
    if not isinstance(verb, Retry | Wait) or verb.times < 2:
        return None
    status = (when.status[0] if isinstance(when.status, list) else when.status) or 200
    until = {str(verb.until): [_now(verb.as_, now)]} if isinstance(verb, Wait) else {}
    holds = [f"answer | ({when.body})"] if when.body else []
    return reply(status, {name.lower(): text for name, text in when.header.items()}, holds=holds, gives=until)


def _fits(when: When, made: Reply) -> bool:
    statuses = when.status if isinstance(when.status, list) else [when.status or made.status]
    same = all(made.headers.get(name.lower()) == text for name, text in when.header.items())
    return made.status in statuses and same and (not when.body or made.meets(f"answer | ({when.body})"))


def _now(form: str, now: float) -> Json:
    """The time as a vendor says it: in a simulated run the clock stands still, so nobody can wait for a later one."""
    then = datetime.fromtimestamp(int(now), UTC)
    ways = {"seconds": "0", "ms": "0", "epoch_s": str(int(now)), "epoch_ms": str(int(now) * 1000)}
    return ways.get(form) or (rfc3339(then) if form == "iso" else format_datetime(then, usegmt=True))
