"""Errors that say where, what and how to mend it, and the exit code each ends with."""

import pytest

from engine.core.errors import (
    CollectionError,
    ConfigError,
    DataError,
    EngineError,
    Finding,
    Mark,
    Mistake,
    SpecError,
    Stopped,
    StorageError,
    nearest,
)

PLACE = Mark("pipelines/orders.yaml", 14, 9)


@pytest.mark.parametrize(
    ("kind", "code", "exit_code"),
    [
        (SpecError, "page", 2),
        (ConfigError, "config", 2),
        (StorageError, "storage", 5),
        (CollectionError, "collection", 3),
        (DataError, "data", 4),
        (Stopped, "stopped", 130),
    ],
)
def test_each_error_has_its_code_and_exit(kind: type[EngineError], code: str, exit_code: int) -> None:
    assert (code, exit_code) == (kind.code, kind.exit_code)


def test_an_error_says_where_what_and_how_to_mend() -> None:
    error = ConfigError("no paginator is called x", "write offset", PLACE)
    assert "pipelines/orders.yaml:14:9  no paginator is called x\n  mend: write offset" == str(error)


def test_each_error_has_an_id_of_its_own() -> None:
    assert ConfigError("a").error_id != ConfigError("a").error_id


def test_a_page_with_several_mistakes_shows_them_all() -> None:
    findings = [Finding(PLACE, "a", "one"), Finding(PLACE, "b", "two")]
    assert "one" in str(SpecError("x", findings=findings))
    assert "two" in str(SpecError("x", findings=findings))


def test_a_finding_points_at_its_place_with_a_caret() -> None:
    finding = Finding(Mark("a.yaml", 14, 3), "code", "wrong", "right it", source="  paginate: x")
    expected = "a.yaml:14:3  error[code]  wrong\n  14 |   paginate: x\n     |   ^\n  mend: right it"
    assert expected == finding.as_text()


def test_a_caret_stands_behind_tabs_too() -> None:
    finding = Finding(Mark("a.yaml", 1, 3), "code", "wrong", source="\t\tx")
    assert "    | \t\t^" == finding.as_text().splitlines()[-1]


def test_a_finding_as_json_has_all_its_fields() -> None:
    finding = Finding(PLACE, "code", "wrong", "right it", "warning")
    expected = {"file": "pipelines/orders.yaml", "line": 14, "column": 9, "code": "code", "level": "warning"}
    assert {**expected, "message": "wrong", "fix": "right it"} == finding.as_json()


def test_a_mistake_is_a_value_error_that_says_only_its_message() -> None:
    assert "wrong" == str(Mistake("code", "wrong", "right it"))


@pytest.mark.parametrize(("word", "end"), [("ofset", '; did you mean "offset"?'), ("zzz", "")])
def test_the_nearest_word_is_offered(word: str, end: str) -> None:
    assert end == nearest(word, ["offset", "cursor"])
