"""What becomes of the values of each column type, and that none is lost without a word."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from engine.flow.columns import TYPES, Wanted, infer, settle
from engine.spec.model import Column
from tests.flow.reading import REFUSED, values

NOON = datetime(2026, 1, 2, 12, 30, 15, tzinfo=UTC)


def _values(kind: str, *found: Any, unit: str | None = None) -> list[Any]:
    return values(Wanted("v", "v", kind, unit), *({"v": value} for value in found))


def _sent(kind: str, *texts: str) -> list[Any]:
    """Values as their JSON was written."""
    return values(Wanted("v", "v", kind), *(f'{{"v": {text}}}' for text in texts))


def test_texts_that_look_like_numbers_stay_texts() -> None:
    assert ["1.10", "08", "1e5", " a ", "", "true"] == _values("string", "1.10", "08", "1e5", " a ", "", "true")


def test_numbers_and_booleans_in_a_text_column_become_their_texts() -> None:
    assert ["7", "1.5", "true", None] == _values("string", 7, 1.5, True, None)


@pytest.mark.parametrize("value", [{"a": 1}, [1], [], {}], ids=str)
def test_an_object_or_list_is_no_text(value: Any) -> None:
    assert ["a", REFUSED, "b"] == _values("string", "a", value, "b")


def test_integers_also_arrive_as_texts() -> None:
    assert [5, -3, 9223372036854775807, 8, None] == _values("integer", 5, "-3", "9223372036854775807", "08", None)


@pytest.mark.parametrize(
    "text",
    [
        "5.5",
        '"5.5"',
        "9223372036854775808",
        "-9223372036854775809",
        '"9223372036854775808"',
        "1e30",
        '""',
        '"x"',
        "true",
        '" 5"',
        '"5 "',
        '"1_000"',
        '"1,000"',
        '"0x10"',
        "[1]",
        "{}",
        '"NaN"',
    ],
)
def test_what_is_no_whole_number_of_64_bits_is_refused(text: str) -> None:
    assert [1, REFUSED, 2] == _sent("integer", "1", text, "2")


def test_a_whole_number_written_as_a_fraction_is_an_integer() -> None:
    assert [5, 100000] == _sent("integer", "5.0", "1e5")


def test_floats_keep_their_value() -> None:
    assert [1.1, 5.0, 0.1, -2e-9, 1e300, 3.25] == _sent("float", "1.10", "5", "0.1", "-2e-9", "1e300", '"3.25"')


@pytest.mark.parametrize(
    "text", ['"NaN"', '"nan"', '"inf"', '"-Infinity"', "1e400", '"1e400"', '"1,5"', "false", "[1.0]"]
)
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    assert [1.5, REFUSED, 2.5] == _sent("float", "1.5", text, "2.5")


def test_a_number_is_the_text_of_its_value_and_as_json_the_text_that_was_sent() -> None:
    sent = ("1.10", "1E5", "12345678901234567890.10", "-0.0", "12345678901234567890123")
    plainly = ["1.1", "100000", "12345678901234567000", "-0", "12345678901234567890123"]
    assert plainly == _sent("string", *sent)
    assert [[one] for one in plainly] == _sent("list", *(f"[{one}]" for one in sent))
    assert [*sent] == _sent("json", *sent)


def test_booleans_are_true_or_false() -> None:
    assert [True, False, True, None] == _sent("boolean", "true", "false", '"true"', "null")


@pytest.mark.parametrize("text", ["1", "0", '"yes"', '"True"', '""', "[true]"])
def test_what_is_neither_true_nor_false_is_refused(text: str) -> None:
    assert [True, REFUSED, False] == _sent("boolean", "true", text, "false")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-02T12:30:15Z", NOON),
        ("2026-01-02T14:30:15+02:00", NOON),
        ("2026-01-02T07:00:15-05:30", NOON),
        ("2026-01-02T12:30:15", NOON),
        ("2026-01-02 12:30:15", NOON),
        ("2026-01-02T12:30:15.5Z", NOON.replace(microsecond=500_000)),
        ("2026-01-02T12:30:15.123456Z", NOON.replace(microsecond=123_456)),
        ("2026-01-02T12:30:15.123456789Z", NOON.replace(microsecond=123_456)),
        ("2026-01-02T12:30:15.25", NOON.replace(microsecond=250_000)),
        ("2026-01-02t12:30:15z", NOON),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_rfc_3339_writes_it(text: str, instant: datetime) -> None:
    assert [instant, None] == _values("datetime", text, None)


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-30T00:00:00Z",
        "2026-01-02",
        "yesterday",
        "",
        "02/01/2026",
        "2026-01-02T25:00:00Z",
        1767357015,
        ["x"],
        "12:30",
    ],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    assert [NOON, REFUSED] == _values("datetime", "2026-01-02T12:30:15Z", value)


@pytest.mark.parametrize(
    ("unit", "number"),
    [("s", 1767357015), ("ms", 1767357015000), ("us", 1767357015000000), ("ns", 1767357015000000000)],
)
def test_an_epoch_number_is_read_in_its_unit_also_as_a_text(unit: str, number: int) -> None:
    assert [NOON, NOON, None] == _values("datetime", number, str(number), None, unit=unit)


def test_a_fraction_of_a_second_is_kept() -> None:
    assert [NOON.replace(microsecond=250_000)] * 2 == _values("datetime", 1767357015.25, "1767357015.25", unit="s")


def test_a_time_before_the_epoch_is_a_time() -> None:
    assert [datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)] == _values("datetime", -1, unit="s")


@pytest.mark.parametrize(
    "value", ["soon", "", 1767357015000000, 9223372036854775807, "1e400", -99999999999999, True, "NaN"]
)
def test_what_is_no_epoch_second_is_refused(value: Any) -> None:
    assert [NOON, REFUSED] == _values("datetime", 1767357015, value, unit="s")


def test_a_date_is_read() -> None:
    assert [date(2026, 1, 2), None] == _values("date", "2026-01-02", None)


@pytest.mark.parametrize("value", ["2026-02-30", "2026-01-02T00:00:00Z", "2026-1-2", "20260102", "", 20260103])
def test_what_is_no_date_is_refused(value: Any) -> None:
    assert [date(2026, 1, 2), REFUSED] == _values("date", "2026-01-02", value)


def _formed(kind: str, forms: list[str], *found: Any) -> list[Any]:
    return values(Wanted("v", "v", kind, None, tuple(forms)), *({"v": value} for value in found))


def test_a_time_is_read_in_the_first_form_that_fits() -> None:
    forms = ["%m/%d/%Y %I:%M %p", "%Y-%m-%d %H:%M:%S %z", "epoch_s", "iso"]
    texts = "11/23/2025 10:11 PM", "2022-07-11 01:34:18 +0200", "1700000000", "2026-01-02T12:30:15Z", None
    assert [
        datetime(2025, 11, 23, 22, 11, tzinfo=UTC),
        datetime(2022, 7, 10, 23, 34, 18, tzinfo=UTC),
        datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        NOON,
        None,
    ] == _formed("datetime", forms, *texts)


def test_a_date_is_read_in_the_first_form_that_fits() -> None:
    assert [date(2025, 11, 23), date(2025, 11, 24)] == _formed(
        "date", ["%m/%d/%Y", "%d.%m.%y"], "11/23/2025", "24.11.25"
    )


@pytest.mark.parametrize("value", ["11/23/25", "23/11/2025", "11/23/2025 ", "2025-11-23"])
def test_what_fits_no_form_is_refused(value: str) -> None:
    assert [REFUSED] == _formed("datetime", ["%m/%d/%Y"], value)


def test_a_list_holds_texts() -> None:
    assert [["a", "1.10"], ["1", "true"], [], None] == _values("list", ["a", "1.10"], [1, True], [], None)


def test_a_list_keeps_its_nulls() -> None:
    assert [["a", None]] == _values("list", ["a", None])


@pytest.mark.parametrize("value", ["a", 1, {"a": 1}, [["a"]], [{"a": 1}]], ids=str)
def test_what_is_no_list_of_values_is_refused(value: Any) -> None:
    assert [["x"], REFUSED, ["y"]] == _values("list", ["x"], value, ["y"])


def test_json_keeps_the_bytes_of_a_plain_path() -> None:
    found = values(
        Wanted("v", "a.b", "json"), '{"a": {"b": {"z": 1.10, "a": [1e2]}}}', '{"a": {"b": "x"}}', '{"a": null}'
    )
    assert ['{"z": 1.10, "a": [1e2]}', '"x"', None] == found


def test_json_of_another_path_is_what_jmespath_finds() -> None:
    found = values(Wanted("v", "items[*].{id: id}", "json"), {"items": [{"id": 1, "x": 2}]}, {"items": None}, {})
    assert [[{"id": 1}], None, None] == [None if one is None else json.loads(one) for one in found]


def test_every_column_type_has_its_type_in_tables() -> None:
    kinds = Column.model_fields["type"].annotation
    assert set(TYPES) == {one for option in kinds.__args__ for one in getattr(option, "__args__", ())}  # type: ignore[union-attr]  # an optional literal


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("string", ["1.10", "x"]),
        ("integer", [1, None, 2]),
        ("float", [1, 2.5]),
        ("boolean", [True]),
        ("list", [["a"], []]),
        ("json", [[{"a": 1}]]),
        ("json", [{"a": 1}]),
        ("json", [1, "a"]),
        ("string", [2**63]),
        ("string", ["2026-01-01T00:00:00Z"]),
        ("string", [None]),
    ],
    ids=str,
)
def test_a_type_that_nobody_declared_is_seen_in_the_records(kind: str, found: list[Any]) -> None:
    assert Wanted("v", "v", kind) == infer("v", "v", [{"v": value} for value in found])


def test_a_pinned_type_goes_before_what_is_seen() -> None:
    columns = {"v": Column.model_validate({"path": "v"})}
    assert [Wanted("v", "v", "integer")] == settle(columns, {"v": "integer"}, [{"v": "a"}])


def test_a_declared_type_goes_before_a_pinned_one() -> None:
    columns = {"v": Column.model_validate({"path": "v", "type": "float"})}
    assert [Wanted("v", "v", "float")] == settle(columns, {"v": "integer"}, [])
