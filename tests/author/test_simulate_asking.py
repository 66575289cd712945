"""What pages ask for, on small pages that are run whole: parents, bodies, windows, exports, known pages, trouble."""

from pathlib import Path

import pytest

from tests.author.test_simulate_words import TABLE, asking, assert_whole, page
from tests.author.whole import Whole

ABOVE = """  teams: { get: /teams, records: teams }
  people: { for_each: { team: teams }, get: "/teams/${team.id}/people", records: people }
"""
TABLES = """
tables:
  teams: { from: teams, key: id, columns: { id: { path: id, type: string }, kind: { path: kind, values: [a, b] } } }
  people: { from: people, key: id, columns: { id: { path: id, type: string } } }
  things:
    from: things
    key: [id, of]
    columns:
      id: { path: id, type: string }
      of: { path: of, type: string }
      name: { path: name, type: string }
"""
PARENTS = {
    "an endpoint": ("{ it: teams }", "${it.id}"),
    "two levels": ("{ it: people }", "${team.id}-${it.id}"),
    "some of an endpoint": ("{ it: { endpoint: teams, where: \"kind == 'a'\" } }", "${it.id}"),
    "one field": ("{ it: { endpoint: teams, take: id } }", "${it}"),
    "values": ("{ it: [a, b, c] }", "${it}"),
    "a param": ('{ it: "${param.wanted}" }', "${it}"),
    "a union": ("{ it: { union: [teams, people], by: id } }", "${it.id}"),
    "a product": ("{ it: [a, b], to: { values: [x, y] } }", "${it}${to}"),
    "brothers": ("{ it: people, to: teams }", "${it.id}-${to.id}"),
}
PLACES = {
    "path": ('get: "/things/NAME"',),
    "query": ("get: /things", 'query: { of: "NAME" }'),
    "header": ("get: /things", 'header: { X-Of: "NAME" }'),
    "cookie": ("get: /things", 'header: { Cookie: "of=NAME; other=1" }'),
    "body": ("post: /things", 'body: { where: { of: "NAME" } }'),
    "put": ("put: /things", 'body: { of: ["NAME"] }'),
    "patch": ("patch: /things", 'body: { all: [{ of: "NAME" }] }'),
    "form": ("post: /things", 'form: { "of[]": ["NAME", all] }'),
    "multipart": ("post: /things", 'multipart: { of: "NAME", text: "a\\r\\n--b" }'),
    "graphql": ("post: /graphql", 'graphql: { query: "query Q($of: ID) { things }", variables: { of: "NAME" } }'),
    "joined": ("get: /things", 'query: { fields: { join: ",", values: [id, "NAME"] } }'),
}
GROUPS = {
    "joined": ('get: "/things"', "query: { some: \"${some|join(',')}\" }"),
    "repeated": ('get: "/things"', 'query: { some: "${some}" }'),
    "in the path": ("get: \"/things/${some|join(';')}\"",),
    "in a body": ("post: /things", 'body: { some: "${some}", all: false }'),
}


def _below(parents: str, name: str, *words: str) -> str:
    said = [word.replace("NAME", name) for word in words]
    records = "data.things" if "graphql" in str(words) else "list"
    below = page(asking(f"for_each: {parents}", *said, f"records: {records}", f'add: {{ of: "{name}" }}'), table=TABLES)
    params = "params: { wanted: { type: list, default: [x, y, z] },"
    return below.replace("endpoints:\n", f"endpoints:\n{ABOVE}").replace("params: {", params)


@pytest.mark.parametrize("kind", PARENTS)
def test_each_kind_of_parent(tmp_path: Path, kind: str) -> None:
    parents, name = PARENTS[kind]
    assert_whole(Whole.of(_below(parents, name, 'get: "/things/NAME"'), tmp_path))


@pytest.mark.parametrize("place", PLACES)
def test_each_place_of_a_parent_in_a_request(tmp_path: Path, place: str) -> None:
    assert_whole(Whole.of(_below("{ it: teams }", "${it.id}", *PLACES[place]), tmp_path))


@pytest.mark.parametrize("where", GROUPS)
def test_the_answer_to_a_group_holds_the_records_of_all(tmp_path: Path, where: str) -> None:
    asked = asking("for_each: { some: { endpoint: teams, take: id, group: 3 } }", *GROUPS[where], "records: list")
    text = page(asked, table=TABLES.replace("[id, of]", "id").replace("      of: { path: of, type: string }\n", ""))
    assert_whole(Whole.of(text.replace("endpoints:\n", f"endpoints:\n{ABOVE}"), tmp_path))


def test_rows_of_a_table_are_parents_from_the_second_run_on(tmp_path: Path) -> None:
    whole = Whole.of(_below("{ it: { table: teams } }", "${it.id}", 'get: "/things/NAME"'), tmp_path)
    assert ("incomplete", 0) == (whole.run().status, len(whole.rows()))
    assert "succeeded" == whole.run().status
    assert {row["of"] for row in whole.rows()} <= {row["id"] for row in whole.rows("teams")}
    assert len(whole.rows()) > 5


# --- windows

DATED = TABLE + "      at: { path: at, type: COLUMN }\n"
FORMS = {
    "iso": ("iso", "datetime"),
    "date": ("date", "date"),
    "epoch_s": ("epoch_s", "integer"),
    "epoch_ms": ("epoch_ms", "integer"),
    "a pattern": ('"%m/%d/%Y %H:%M:%S"', "string"),
}


def _dated(form: str, column: str, *words: str, more: str = "") -> str:
    table = DATED.replace("COLUMN", column)
    granularity = "granularity: 1d, " if form == "date" else ""
    incremental = f"incremental: {{ field: at, read_format: [{form}, iso], start: 30d, {granularity}{more} }}"
    return page(asking("get: /things", "records: list", *words, incremental), table=table)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bounds", ["half_open", "inclusive"])
def test_windows_in_each_form_find_every_record_once(tmp_path: Path, form: str, bounds: str) -> None:
    written, column = FORMS[form]
    send = f"send: {{ from: query.since, until: query.before, format: {written} }}"
    text = _dated(written, column, more=f"step: 4d, bounds: {bounds}, {send}")
    whole = Whole.of(text, tmp_path)
    assert "succeeded" == whole.run().status
    today = [row for row in whole.world() if form == "date" and row["at"].isoformat() >= "2026-11-18"]
    assert [row for row in whole.world() if row not in today] == whole.rows()
    assert len(whole.rows()) > 5


@pytest.mark.parametrize(
    "words",
    [
        ('query: { filter: \'at > "${window.start}" and at < "${window.end}"\' }',),
        ("query: { range: \"${window.start|date('%m/%d/%Y %H:%M')}~${window.end|date('%m/%d/%Y %H:%M')}\" }",),
        ('header: { X-Since: "${window.start}" }',),
        ("query: { q: \"at:>=${window.start|date('%Y-%m-%dT%H:%M:%S')}\" }",),
    ],
)
def test_a_window_is_found_wherever_it_stands(tmp_path: Path, words: tuple[str, ...]) -> None:
    step = "step: 7d, " if "end" in str(words) else ""
    assert_whole(Whole.of(_dated("iso", "datetime", *words, more=f"{step}granularity: 1m"), tmp_path))


def test_a_second_run_asks_for_what_is_new_and_gets_no_more(tmp_path: Path) -> None:
    whole = Whole.of(_dated("iso", "datetime", more="send: query.since"), tmp_path)
    first, second = whole.run().as_json(), whole.run().as_json()
    assert first["records_collected"] == len(whole.world()) == len(whole.rows()) > 5
    assert second["records_collected"] < 3


def test_a_group_stands_beside_another_parent(tmp_path: Path) -> None:
    words = ('get: "/teams/${team.id}/things"', "query: { fields: \"${field|join(',')}\" }")
    union = "{ union: [{ endpoint: people, take: id }, [size, name]], group: 4 }"
    asked = asking(f"for_each: {{ team: teams, field: {union} }}", *words, "records: list")
    text = page(asked, table=TABLES.replace("[id, of]", "id").replace("      of: { path: of, type: string }\n", ""))
    people = ABOVE.replace("for_each: { team: teams }, ", "").replace("/teams/${team.id}/people", "/people")
    assert_whole(Whole.of(text.replace("endpoints:\n", f"endpoints:\n{people}"), tmp_path))


def test_a_first_cursor_that_a_parent_names_is_the_start(tmp_path: Path) -> None:
    graphql = 'graphql: { query: "query Q($a: ID) { things }", variables: { of: "NAME", after: "${it.kind}" } }'
    paginate = "paginate: { cursor: { read: answer.data.next, send: body.variables.after } }"
    assert_whole(Whole.of(_below("{ it: teams }", "${it.id}", "post: /graphql", graphql, paginate), tmp_path))


def test_both_ends_of_a_window_stand_in_one_list(tmp_path: Path) -> None:
    words = 'query: { "at[]": ["${window.start}", "${window.end}"] }'
    assert_whole(Whole.of(_dated("iso", "datetime", words, more="step: 7d"), tmp_path))


def test_what_stands_around_a_window_counts(tmp_path: Path) -> None:
    words = ("for_each: { kind: [a, b] }", "query: { q: 'at > \"${window.start}\" and kind = ${kind}' }")
    assert_whole(Whole.of(_dated("iso", "datetime", *words), tmp_path))


def test_records_that_nobody_dates_are_spread_over_the_windows(tmp_path: Path) -> None:
    windows = "incremental: { start: 30d, step: 5d, send: { from: query.since, until: query.before } }"
    whole = Whole.of(page(asking("get: /things", "records: list", windows)), tmp_path)
    assert len(whole.watched()[1]) == 6
    assert whole.world() == whole.rows()


def test_a_column_reads_the_form_that_it_names(tmp_path: Path) -> None:
    table = TABLE + '      due: { path: due, type: date, format: "%d.%m.%y" }\n'
    assert_whole(Whole.of(page(asking("get: /things", "records: list"), table), tmp_path))
