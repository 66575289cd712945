"""When a request is tried again, and after how long."""

import pytest

from engine.flow.retry import Policy, instant, retry_after_seconds
from tests.flow.desk import NOON


def test_our_waits_double_and_half_of_each_is_chance() -> None:
    waits = [Policy().wait_seconds(attempt, 0.0, 0.0, None) for attempt in (1, 2, 3, 4)]
    assert [0.25, 0.5, 1.0, 2.0] == waits


def test_chance_adds_up_to_the_other_half() -> None:
    assert 0.5 == Policy().wait_seconds(1, 0.0, 1.0, None)


def test_after_the_last_try_nothing_is_waited_for() -> None:
    assert Policy(tries=5).wait_seconds(5, 0.0, 0.5, None) is None


def test_the_budget_ends_the_tries() -> None:
    assert Policy(budget_seconds=1.0).wait_seconds(2, 0.5, 1.0, None) is None


def test_a_wait_the_vendor_names_is_not_held_against_the_budget() -> None:
    assert 60.0 == Policy(budget_seconds=1.0).wait_seconds(2, 0.5, 1.0, 60.0)


def test_a_vendor_cannot_name_a_wait_without_end() -> None:
    assert 3600.0 == Policy().wait_seconds(1, 0.0, 0.5, 1e9)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("14, 2", 14.0),
        ("Mon, 15 Jun 2026 12:00:30 GMT", 30.0),
        ("Mon, 15 Jun 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        (".", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert seconds == retry_after_seconds(text, NOON)


TIMES: list[tuple[object, str, float | None]] = [
    (7, "seconds", NOON + 7),
    ("8", "seconds", NOON + 8),
    (2500, "ms", NOON + 2.5),
    (1_781_524_812, "epoch_s", NOON + 12),
    ("1781524801500", "epoch_ms", NOON + 1.5),
    ("2026-06-15T14:00:20+02:00", "iso", NOON + 20),
    ("Mon, 15 Jun 2026 12:01:00 GMT", "http_date", NOON + 60),
    ("Mon, 15 Jun 2026 12:01:00", "http_date", NOON + 60),
]
NO_TIMES: dict[str, list[object]] = {
    "seconds": [None, True, [], {}, "", "x", "1e999", "-1", "inf"],
    "iso": [None, 5, "noon", "0000-00-00"],
    "http_date": [None, 5, "noon", "Mon, 99 Jun 2026 12:01:00 GMT"],
}


@pytest.mark.parametrize(("value", "form", "at"), TIMES)
def test_a_time_is_read_in_the_form_that_is_named(value: object, form: str, at: float | None) -> None:
    assert at == instant(value, form, NOON)


@pytest.mark.parametrize("form", NO_TIMES)
def test_what_is_no_time_in_that_form_means_none(form: str) -> None:
    assert {None} == {instant(value, form, NOON) for value in NO_TIMES[form]}
