"""Numbers and booleans that are plausible for their names."""

from __future__ import annotations

import json
import math
import re
from random import Random

from engine.author.simulate.facts import Facts
from engine.author.simulate.shape import Shape
from engine.core.errors import Json

COUNTS = re.compile(r"count|total|num|calls|requests|hits|traffic|size|bytes|volume|message|sum|value")
LIMITS = re.compile(r"quota|limit|max|threshold")
SMALL = re.compile(r"error|fail|fault")
SMALL_SHARE = 0.03


def boolean(shape: Shape, fact: Facts, rng: Random) -> Json:
    """Mostly what is well: on where it says enabled, off elsewhere."""
    likely = 0.85 if re.search(r"enabled|active|verified|valid", fact.what) else 0.15
    value = rng.random() < likely or (True in shape.hints and rng.random() < 0.6)
    return ("true" if value else "false") if fact.as_text else value


def number(shape: Shape, fact: Facts, label: str, level: float | None, rng: Random) -> Json:
    """A number between the page's bounds; `label` is what is counted, `level` how much of the usual."""
    whole = fact.type == "integer"
    hints = [hint for hint in shape.hints if isinstance(hint, (int, float))]
    if hints and rng.random() < 0.5:
        return hints[0]
    if fact.values:
        text = rng.choices(fact.values, fact.weights())[0]
        return int(text) if whole else float(text)
    low, high = fact.low, fact.high
    if low is not None and high is not None:
        value = low + (high - low) * rng.betavariate(3, 2)
    elif re.search(r"interval|period", fact.what):
        value = rng.choice((1, 1, 1, 5))
    elif LIMITS.search(fact.what):
        value = rng.choice((100, 500, 1_000, 5_000, 10_000))
    else:
        value = _plain(fact, label, level, rng)
    value = min(value, 100) if re.search(r"score|percent|rating", fact.what) and high is None else value
    value = max(value, low) if low is not None else value
    value = min(value, high) if high is not None else value
    return int(value) if whole else round(value, 2)


def _plain(fact: Facts, label: str, level: float | None, rng: Random) -> float:
    try:
        example = float(fact.example)
    except (TypeError, ValueError):
        example = 0.0
    if COUNTS.search(fact.what) and (example > 20 or not example):
        middle = math.log(example) if example else 6.0
        share = SMALL_SHARE if SMALL.search(f"{label} {fact.what}") else 1.0
        usual = rng.lognormvariate(middle, 0.9) if level is None else math.exp(middle) * level * rng.uniform(0.8, 1.2)
        return float(math.ceil(usual * share))
    if example:
        return example * rng.uniform(0.3, 1.6) if example > 5 else float(rng.randint(0, int(example) + 2))
    return float(rng.randint(0, 100))


def decoded(example: Json) -> Json:
    """A JSON value out of its example, which may be its text."""
    if isinstance(example, str):
        try:
            return json.loads(example)
        except ValueError:
            return example
    # Numbers of a page know their source text; those of JSON do not.
    return {} if example is None else json.loads(json.dumps(example))
