"""What stands for `run.*` and `param.*` where SQL is tried before a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from engine.core.errors import Json, Mistake
from engine.spec.lint.look import Look
from engine.spec.model import Param
from engine.spec.params import typed

SAMPLES: Mapping[str, Json] = {
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "list": ["x"],
    "duration": "1d",
    "rate": "1/s",
}
TIME = "2026-01-01"
"""Stands for a text: it may be compared with texts and with times."""


def constants(look: Look) -> dict[str, object]:
    """`run.*` and `param.*` with values of their types."""
    run: dict[str, object] = {"run.started_at": datetime(2026, 1, 1, tzinfo=UTC), "run.id": "run"}
    return {**run, **{f"param.{name}": _sample(param) for name, param in look.pipeline.params.items()}}


def _sample(param: Param) -> object:
    for value in (param.default, param.example):
        if value is not None and "${" not in str(value):
            try:
                return typed(param, value)
            except Mistake:  # names.wrong_defaults tells of it
                break
    return SAMPLES.get(param.type, TIME)
