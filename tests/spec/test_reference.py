"""The reference names every word, and an editor with the schema takes and refuses what the engine does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from engine.app.engine import registry
from engine.core.errors import ConfigError
from engine.spec.prose import sample
from engine.spec.read import read_page
from engine.spec.reference import _sections, reference
from engine.spec.schema import page_schema
from engine.spec.yamlfile import parse, plain, read

ROOT = Path(__file__).parents[2]
SCHEMA = page_schema(registry())
EDITOR = jsonschema.Draft202012Validator(SCHEMA)
GOOD = """\
version: 1
tool: acme
x-columns: &columns { id: id, at: { path: at, type: datetime, unit: ms } }
params:
  host: { default: api.acme.example }
  rate: { type: rate, default: 10/s }
secrets:
  token: { env: ACME_TOKEN }
connection:
  base_url: https://${param.host}/v1
  auth: { bearer: { token: "${secret.token}" } }
  query: { version: 1.10, fields: [id, at], off: null, ids: { join: ",", values: [a] } }
  rate_limit: ["${param.rate}", { rate: 600/m, burst: 5 }]
  concurrency: 8
  timeout: 30s
defaults: { may_be_absent: true, responses: [{ when: { status: 403 }, skip: { say: not allowed } }] }
styles:
  list: { records: items, paginate: { offset: { send: query.offset, size: { send: query.limit, value: 100 } } } }
endpoints:
  apis: /apis
  findings:
    use: list
    for_each: { api: apis }
    get: /apis/${api.id}/findings
    incremental: { start: 30d, send: query.since }
    redact: [owner.email, { path: "**.curl", with: hash }]
    responses: { prepend: [{ when: { status: [404, 410] }, skip: { say: gone } }] }
    timeout: ${param.host}
  owners:
    for_each: { api: { union: [apis, { endpoint: findings, where: owner }], by: id } }
    get: /owners/${api.id}
    paginate: none
    rate_limit: 1/s
tables:
  apis:
    from: apis
    key: id
    columns: *columns
    validate:
      - required: id
      - unique: [id]
      - expression: { real: id <> '' }
      - expression: { checks: { real: id <> '' }, level: warning }
      - range: { column: at, min: 2010-01-01, max: { sql: run.started_at } }
      - forbid: [token]
    enrich:
      - derive: { day: "date_trunc('day', at)" }
      - rename: { day: on_day }
      - drop: at
  findings: { from: [findings, owners], key: [id], rows: [{ each: items, key_as: id }], columns: { id: id } }
  grid: { from: owners, rows: { zip: { names: columns, values: values } }, columns: { id: id } }
  summary: { sql: SELECT count(*) AS n FROM apis }
reports:
  file: { csv: apis }
  other: { csv: { table: apis, separator: ";" } }
  web: { html: { tables: [apis], charts: [{ number: { table: apis, label: APIs } }] } }
"""


def page(text: str) -> Any:
    return plain(parse(text, "page.yaml").root)


def mistakes(text: str) -> list[tuple[str, str]]:
    """Path on the page and message of each thing that an editor would underline."""
    return [(error.json_path, error.message) for error in EDITOR.iter_errors(page(text))]


def test_the_schema_is_one_of_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_editor_takes_the_pages_that_ship_with_the_engine(path: Path) -> None:
    assert [] == [error.message for error in EDITOR.iter_errors(plain(read(path).root))]


def test_an_editor_takes_every_shorthand() -> None:
    assert [] == mistakes(GOOD)


def test_the_engine_takes_every_shorthand(tmp_path: Path) -> None:
    place = tmp_path / "acme.yaml"
    place.write_text(GOOD)
    assert "acme" == read_page(place, registry()).pipeline.tool


def parts() -> Iterator[Any]:
    for kind, word, part in registry().parts():
        example = page(sample(part))
        if isinstance(example, dict):
            example.pop("secrets", None)  # one may be called as the word
        yield pytest.param(kind, word, example, id=f"{kind}.{word}")


def settings(tree: Any, word: str) -> Iterator[Any]:
    """What stands below a word, wherever it stands in an example."""
    if tree == word:
        yield tree
    values = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in values:
        if key == word:
            yield {word: value}
        else:
            yield from settings(value, word)


@pytest.mark.parametrize(("kind", "word", "example"), list(parts()))
def test_an_editor_takes_the_example_of_each_part(kind: str, word: str, example: Any) -> None:
    variant = EDITOR.evolve(schema={"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]})
    found = list(settings(example, word))
    assert [[]] * len(found) == [[error.message for error in variant.iter_errors(one)] for one in found]
    assert found


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("{ offset: {", "{ ofset: {", "$.styles.list.paginate", "'ofset' was unexpected"),
        ("{ send: query.offset,", "{ sent: query.offset,", "$.styles.list.paginate.offset", "'sent' does not match"),
        ("{ send: query.offset,", "{ send: offset,", "$.styles.list.paginate.offset.send", "does not match"),
        ("value: 100", "value: many", "$.styles.list.paginate.offset.size.value", "is not of type 'integer'"),
        ("paginate: none", "paginate: off", "$.endpoints.owners.paginate", "is not one of ['none', 'link_header']"),
        ("bearer: { token:", "bearer: { tokn:", "$.connection.auth.bearer", "'tokn' does not match"),
        ("timeout: 30s", "timeout: 30 sec", "$.connection.timeout", "does not match"),
        ("concurrency: 8", "concurrency: 0", "$.connection.concurrency", "less than the minimum"),
        ("status: 403", "status: 4030", "$.defaults.responses[0].when.status", "greater than the maximum"),
        ("values: [a] }", "value: [a] }", "$.connection.query.ids", "'value' does not match"),
        ("type: datetime", "type: time", "$.tables.apis.columns.at.type", "is not one of"),
        ("use: list", "uses: list", "$.endpoints.findings", "'uses' does not match"),
        ("  apis: /apis\n", "  Apis: /apis\n", "$.endpoints", "does not match"),
        ("unique: [id]", "unik: [id]", "$.tables.apis.validate[1]", "'unik' was unexpected"),
        ("column: at, min", "colum: at, min", "$.tables.apis.validate[4].range", "'colum' does not match"),
        ("level: warning", "level: fatal", "$.tables.apis.validate[3].expression.level", "is not one of"),
        ("tool: acme\n", "", "$", "'tool' is a required property"),
        ("label: APIs", "labl: APIs", "$.reports.web.html.charts[0].number", "'labl' does not match"),
    ],
)  # fmt: skip
def test_an_editor_underlines_a_mistake_in_its_branch(old: str, new: str, path: str, message: str) -> None:
    found = mistakes(GOOD.replace(old, new, 1))
    assert [path] == [place for place, text in found if message in text]


def test_every_property_in_the_schema_is_described() -> None:
    shapes = {"page": SCHEMA, **SCHEMA["$defs"]}
    assert [] == [
        f"{name}.{word}"
        for name, shape in shapes.items()
        for word, said in shape.get("properties", {}).items()
        if "description" not in said and "$ref" not in said
    ]


@pytest.mark.parametrize("word", ["start_key", "for_each", "derive", "date_diff", "json_schema", "columns", "exit"])
def test_reference_answers_for_a_word(word: str) -> None:
    assert word in reference(word)


def test_reference_of_a_word_imports_no_other_part() -> None:
    parts = registry()
    assert any("offset" in one.words for one in _sections(parts, "offset"))
    assert {("paginate", "offset")} == set(parts.found)


def test_reference_of_a_field_tells_where_it_stands() -> None:
    assert "A field of `endpoints.NAME`." in reference("may_be_absent")


@pytest.mark.parametrize("value", ["upsert", "append", "warning"])
def test_reference_of_a_value_tells_whose_it_is(value: str) -> None:
    fields = {"upsert": "`mode`", "append": "`mode`", "warning": "`level`"}
    assert f"| {fields[value]} |" in reference(value)


def test_reference_suggests_the_nearest_word() -> None:
    with pytest.raises(ConfigError, match='no word is called "offst"; did you mean "offset"'):
        reference("offst")


def test_reference_names_every_part() -> None:
    text = reference()
    assert [] == [word for _, word, _ in registry().parts() if f"### `{word}`" not in text]
