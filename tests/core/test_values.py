"""Durations, rates, sizes and shares with one spelling each, and secrets that never print themselves."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest

from engine.core.errors import Mistake
from engine.core.values import ColumnName, Duration, EndpointName, Percent, Rate, Secret, Size, Spelled, TableName


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("7d", 604_800), ("0s", 0)],
)
def test_a_duration_in_seconds(text: str, seconds: float) -> None:
    assert seconds == Duration.read(text).seconds


def test_a_duration_as_a_timedelta() -> None:
    assert timedelta(minutes=10) == Duration.read("10m").delta


@pytest.mark.parametrize(
    ("text", "each"), [("10/s", 10), ("600/m", 10), ("5400/h", 1.5), ("86400/d", 1), ("0.5/s", 0.5)]
)
def test_a_rate_per_second(text: str, each: float) -> None:
    assert each == Rate.read(text).per_second


@pytest.mark.parametrize(("text", "count"), [("1B", 1), ("200KB", 200_000), ("5MB", 5_000_000), ("1GB", 1_000_000_000)])
def test_a_size_in_bytes(text: str, count: int) -> None:
    assert count == Size.read(text).bytes


def test_a_share_between_nought_and_one() -> None:
    assert 0.005 == Percent.read("0.5%").share


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Duration, "30", '"30" is not a duration'),
        (Duration, "30 s", "is not a duration"),
        (Duration, "-5m", "is not a duration"),
        (Duration, 30, "30 is not a duration"),
        (Rate, "10", "is not a rate"),
        (Rate, "10/sec", "is not a rate"),
        (Rate, "0/s", "allows no request"),
        (Rate, "0.0/m", "allows no request"),
        (Size, "5mb", "is not a size"),
        (Percent, "1", "is not a share"),
        (ColumnName, "a b", "is not the name of a column"),
        (TableName, "Apis", "is not the name of a table"),
        (EndpointName, "42crunch", "is not the name of an endpoint"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_spelling(kind: type[Spelled], value: Any, words: str) -> None:
    with pytest.raises(Mistake, match=words):
        kind.read(value)


def test_a_value_stays_as_the_author_wrote_it() -> None:
    assert "1.50m" == Duration.read("1.50m")


@pytest.mark.parametrize("shown", [str, repr, "{}".format, "{!s:>10}".format, "{0!r}".format], ids=range(5))
def test_a_secret_never_prints_itself(shown: Any) -> None:
    assert "hunter" not in shown(Secret("hunter", "password"))


def test_a_secret_shows_its_name() -> None:
    assert "<secret password>" == str(Secret("hunter", "password"))


def test_a_secret_does_not_become_json() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret("hunter"))


def test_a_secret_has_no_fields_to_list() -> None:
    with pytest.raises(TypeError):
        vars(Secret("hunter"))


def test_a_secret_is_revealed_on_request_alone() -> None:
    assert "hunter" == copy.deepcopy(Secret("hunter")).reveal()


def test_secrets_are_equal_by_their_text() -> None:
    assert (True, False) == (Secret("a", "x") == Secret("a", "y"), Secret("a") == "a")
