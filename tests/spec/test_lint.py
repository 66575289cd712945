"""What lint says about wrong pages: the cases of tests/cases/lint.yaml, and the ten mistakes that newcomers make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.app.engine import registry
from engine.app.settings import settle
from engine.core.errors import Finding, SpecError
from engine.spec.lint import lint_file
from engine.spec.read import read_page

CASES = yaml.load((Path(__file__).parents[1] / "cases" / "lint.yaml").read_text(), Loader=yaml.CSafeLoader)
PAGE: str = CASES["page"]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lint(text: str) -> list[Finding]:
    Path("acme.yaml").write_text(text)
    return lint_file(Path("acme.yaml"), registry())


def completed(part: str) -> str:
    missing = (text for name, text in CASES["rest"].items() if not re.search(rf"(?m)^{name}:", part))
    return part + "".join(missing)


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("case", named([case for case in CASES["cases"] if "part" in case or "page" in case]))
def test_a_wrong_page_is_told_at_its_place_with_a_mend(case: dict[str, Any]) -> None:
    text = case["page"] if "page" in case else completed(case["part"])
    [found] = lint(text)
    place = f"{found.mark.line}:{found.mark.column}"
    assert (case["code"], case.get("level", "error"), case["at"]) == (found.code, found.level, place)
    assert case["message"] in found.message
    assert case.get("fix", "") in found.fix


def test_a_file_that_is_not_there_is_a_finding() -> None:
    [found] = lint_file(Path("absent.yaml"), registry())
    assert ("absent.yaml:1:1", "file") == (str(found.mark), found.code)


@pytest.mark.parametrize("case", named(CASES["newcomers"]))
def test_a_newcomer_is_shown_the_place_and_the_mend(case: dict[str, Any]) -> None:
    text = PAGE.replace(case["old"], case["new"])
    assert case["says"] == "\n".join(found.as_text() for found in lint(text))


def test_a_newcomer_is_told_where_to_set_a_missing_secret() -> None:
    Path("acme.yaml").write_text(PAGE)
    source = read_page(Path("acme.yaml"), registry())
    with pytest.raises(SpecError) as caught:
        settle(source, given={}, config={}, secrets={}, env={})
    assert (
        'acme.yaml:6:10  error[missing-secret]  secret "token" is not set\n'
        "  6 |   token: { env: ACME_TOKEN }\n"
        "    |          ^\n"
        "  mend: set it with the environment variable ACME_TOKEN, or secrets: { acme: { token: ${VARIABLE} } } in "
        "config.yaml; to try the page without credentials, add --simulate"
    ) == str(caught.value)


def test_a_newcomer_is_told_that_a_param_on_the_command_line_has_the_wrong_type() -> None:
    Path("acme.yaml").write_text(PAGE)
    source = read_page(Path("acme.yaml"), registry())
    with pytest.raises(SpecError) as caught:
        settle(source, given={"rate_limit": "fast"}, config={}, secrets={}, env={"ACME_TOKEN": "t"})
    [found] = caught.value.findings
    assert ("acme.yaml:4:15", "param") == (str(found.mark), found.code)
    assert 'param "rate_limit" (from -p): "fast" is not a rate' == found.message
    assert "write 10/s, 600/m or 5000/h" == found.fix


def test_a_good_page_has_no_findings() -> None:
    assert [] == lint(PAGE)


def test_all_findings_of_a_page_come_at_once_in_its_order() -> None:
    text = (
        PAGE.replace("api: apis", "api: apes")
        .replace("FROM findings", "FROM finding")
        .replace("default: 10/s", "default: x")
    )
    assert ["param", "unknown-endpoint", "unknown-table"] == [found.code for found in lint(text)]


def test_what_can_be_understood_is_looked_at_besides_what_cannot() -> None:
    text = (
        PAGE.replace("{ offset: {", "{ ofset: {")
        .replace("api: apis", "api: apes")
        .replace("FROM findings", "FROM finding")
    )
    assert ["unknown-word", "unknown-endpoint", "unknown-table"] == [found.code for found in lint(text)]


def test_what_was_left_out_makes_no_findings_of_its_own() -> None:
    text = PAGE.replace("    get: /apis\n", "    gte: /apis\n").replace(
        "columns: { id: { path: id", "columns: { id: { pth: id"
    )
    assert {"unknown-word", "missing"} == {found.code for found in lint(text)}


def test_a_mistake_in_a_style_is_told_once_for_all_endpoints_that_use_it() -> None:
    text = PAGE.replace(
        "endpoints:", "styles: { list: { paginate: { cursor: { read: next, send: query.next } } } }\nendpoints:"
    )
    text = text.replace("    get: /apis\n", "    get: /apis\n    use: list\n").replace(
        "    for_each", "    use: list\n    for_each"
    )
    text = text.replace("    paginate: { offset: { send: query.offset, total: answer.total } }\n", "")
    assert ["unknown-root"] == [found.code for found in lint(text)]


@pytest.mark.parametrize("code", CASES["only_in_a_run"])
def test_a_code_that_only_a_run_shows_has_no_case(code: str) -> None:
    assert code not in {case["code"] for case in CASES["cases"]}


def test_a_column_without_a_type_that_nothing_rests_on_is_no_finding() -> None:
    said = 'validate: [{ required: [id, more] }], where: "id > 5", enrich: [{ derive: { n: "id + 1" } }]'
    columns = "columns: { id: { path: id, type: integer }, more: more }"
    tables = f"tables:\n  things: {{ from: things, key: id, {columns}, {said} }}\n"
    assert [] == lint(
        completed(f"{tables}  same: {{ sql: SELECT * FROM things }}\n  few: {{ sql: SELECT id FROM same }}\n")
    )


def test_a_path_of_which_only_a_run_knows_the_start_is_no_finding() -> None:
    things = "things: { get: \"${'/things'}\", query: { get: one }, records: items }"
    job = 'create: { post: /jobs, query: { get: one }, read: answer.id }, fetch: { get: "${job.id}/file" }'
    more = f'more: {{ job: {{ {job} }}, records: items }}\n  each: {{ for_each: {{ x: things }}, get: "${{x.id}}" }}'
    found = lint(completed(f"endpoints:\n  {things}\n  {more}\n"))
    assert [] == [one for one in found if one.code != "no-table"]
