"""`plan`, `lint`, `tools` and `reference`: what pages say before anybody is asked."""

import json
from pathlib import Path

from engine.app import Engine
from tests.cli.shop import Desk


def test_plan_asks_nobody(desk: Desk) -> None:
    assert (0, []) == (desk.engine("plan", "shop").return_value, desk.shop.log)


def test_plan_gives_endpoints_and_tables_in_order(desk: Desk) -> None:
    found = json.loads(desk.engine("plan", "shop", "--json").stdout)
    assert [("things", []), ("parts", ["things"])] == [(e["endpoint"], e["for_each"]) for e in found["endpoints"]]
    assert ["things", "parts", "cheap"] == [table["table"] for table in found["tables"]]
    assert {"validation": 1, "enrichment": 0} == found["tables"][0]["stages"]


def test_the_steps_of_a_job_make_no_line_of_the_plan_longer_than_a_screen(desk: Desk) -> None:
    job = "create: { post: /jobs, read: answer.id }, poll: { get: '/jobs/${job.id}', done: \"answer.state == 'DONE'\" }"
    fetch = "fetch: { urls: 'answer.files[].url', auth: none, decode: gzip+csv }"
    desk.page("endpoints:\n", f"endpoints:\n  export: {{ job: {{ {job}, {fetch} }} }}\n")
    lines = desk.engine("plan", "shop").stdout.splitlines()
    assert 200 > max(len(line) for line in lines if line.lstrip()[:1].isdigit())


def test_plan_leaves_templates_of_requests_as_they_are(desk: Desk) -> None:
    assert "GET /things/${thing.id}/parts" in desk.engine("plan", "shop").stdout


def test_plan_names_the_hosts_that_will_be_asked(desk: Desk) -> None:
    found = json.loads(desk.engine("plan", "shop", "--json").stdout)
    assert [desk.shop.url.removeprefix("http://")] == found["hosts"]


def test_plan_shows_what_is_missing_and_never_a_secret(desk: Desk, monkeypatch) -> None:  # type: ignore[no-untyped-def]  # pytest's own fixture
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")
    desk.page(
        "connection:\n",
        "  owner: { doc: Whose shop. }\nsecrets: { token: { env: SHOP_TOKEN }, pin: { env: SHOP_PIN } }\n"
        "connection:\n  auth: { bearer: { token: '${secret.token}' } }\n",
    )
    answer = desk.engine("plan", "shop")
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert ["param", "owner", "missing", "Whose", "shop."] in lines
    assert ["secret", "token", "set"] in lines
    assert ["secret", "pin", "missing"] in lines
    assert (0, False) == (answer.return_value, "s3cr3t" in answer.stdout)


CHOICE = """\
  way: { default: key }
  path: { optional: true }
secrets: { token: { env: SHOP_TOKEN }, pin: { env: SHOP_PIN } }
connection:
  auth:
    choose:
      by: ${param.way}
      options:
        key: { bearer: { token: "${secret.token}" } }
        other: { api_key: { key: "${secret.pin}", send: header.X-Pin } }
"""


def test_plan_shows_what_a_choice_takes_and_what_it_does_not_need(desk: Desk) -> None:
    desk.page("connection:\n", CHOICE)
    found = json.loads(desk.engine("plan", "shop", "--json", "-p", "way=other").stdout)
    assert "api_key" == found["auth"]
    assert {"token": False, "pin": True} == {one["name"]: one["needed"] for one in found["secrets"]}


def test_plan_shows_the_errors_of_lint_and_fails(desk: Desk) -> None:
    desk.page('thing_id: "${thing.id}"', 'thing_id: "${think.id}"')
    answer = desk.engine("plan", "shop")
    assert (2, True) == (answer.return_value, 'error[unknown-name]  there is no "think" here' in answer.stderr)


def test_plan_says_what_rests_on_assumption(desk: Desk) -> None:
    desk.page("  things: { use: paged,", "  things: { assumed: nobody says so, use: paged,")
    assert "assumed: nobody says so" in desk.engine("plan", "shop").stdout


def test_a_choice_resolved_reads_back_as_the_same_page(desk: Desk) -> None:
    desk.page("connection:\n", CHOICE)
    long = Path("long.yaml")
    long.write_text(desk.engine("plan", "shop", "--resolved").stdout)
    engine = Engine.from_config()
    assert engine.page("shop").pipeline == engine.page(long).pipeline


def test_a_note_is_counted_and_no_mistake(desk: Desk) -> None:
    desk.page("  things: { use: paged,", "  things: { assumed: nobody says so, use: paged,")
    answer = desk.engine("lint", "shop")
    assert 0 == answer.return_value
    assert answer.stdout.endswith("0 errors, 0 warnings, 1 note in 1 page\n")


def test_plan_names_columns_that_are_read_one_by_one(desk: Desk) -> None:
    desk.page("{ path: name, type: string,", "{ path: name || to_string(@), type: string,")
    said = desk.engine("plan", "shop", "-v").stdout
    assert "things  name" in said
    assert "read by jmespath.py, one record at a time, which takes two to ten times as long, parsing included" in said


def test_resolved_reads_back_as_the_same_page(desk: Desk) -> None:
    long = Path("long.yaml")
    long.write_text(desk.engine("plan", "shop", "--resolved").stdout)
    engine = Engine.from_config()
    assert engine.page("shop").pipeline == engine.page(long).pipeline


def test_resolved_says_where_each_value_is_from(desk: Desk) -> None:
    lines = [line.strip() for line in desk.engine("plan", "shop", "--resolved").stdout.splitlines()]
    assert "records: items  # from defaults" in lines
    assert "paginate:  # from style paged" in lines
    assert "may_be_empty: false  # default" in lines
    assert "get: /things" in lines


def test_lint_ends_with_a_count(desk: Desk) -> None:
    answer = desk.engine("lint")
    assert (0, "in 1 page") == (answer.return_value, answer.stdout[-10:].strip())


def test_lint_shows_a_caret_and_ends_with_2(desk: Desk) -> None:
    desk.page("offset:", "ofset:")
    answer = desk.engine("lint", "shop")
    assert 2 == answer.return_value
    assert 'did you mean "offset"?' in answer.stdout
    assert "^" in answer.stdout
    assert "1 error" in answer.stdout.splitlines()[-1]


def test_lint_gives_json(desk: Desk) -> None:
    desk.page("offset:", "ofset:")
    [found] = json.loads(desk.engine("lint", "shop", "--format", "json").stdout)
    assert {"file", "line", "column", "code", "level", "message", "fix"} == set(found)


def test_tools_lists_pages_and_last_runs(desk: Desk) -> None:
    before = desk.engine("tools").stdout.splitlines()[1].split()
    desk.engine("run", "shop")
    [after] = json.loads(desk.engine("tools", "--json").stdout)
    assert ["shop", "The", "shop", "2", "3", "never", "pipelines/shop.yaml"] == before
    assert "succeeded" == after["last_run"]["status"]


def test_a_page_with_mistakes_stays_in_the_list(desk: Desk) -> None:
    desk.page("offset:", "ofset:")
    assert "has mistakes, see engine lint shop" in desk.engine("tools").stdout


def test_without_pages_of_ones_own_the_shipped_ones_are_there(desk: Desk) -> None:
    Path("pipelines/shop.yaml").unlink()
    Path("pipelines").rmdir()
    assert "apigee" in desk.engine("tools").stdout


def test_reference_explains_a_word(desk: Desk) -> None:
    assert "cursor" in desk.engine("reference", "cursor").stdout


def test_a_page_whose_file_has_another_name_is_found_by_its_tool(desk: Desk) -> None:
    desk.page().rename("pipelines/shop-eu.yaml")
    assert [0, 0] == [desk.engine("collect", name, "--only", "things").return_value for name in ("shop", "shop-eu")]
    assert ["shop"] == [one["tool"] for one in json.loads(desk.engine("tools", "--json").stdout)]
    assert 'warning[file-name]  the tool is "shop" and its file "shop-eu.yaml"' in desk.engine("lint", "shop").stdout


def test_what_the_configuration_says_in_vain_is_told(desk: Desk) -> None:
    Path("config.yaml").write_text("params: { shp: { color: red } }")
    assert 'params of "shp", and no page here is of it; did you mean "shop"?' in desk.engine("tools").stderr
    Path("config.yaml").write_text("pipelines_dir: nowhere")
    assert "warning: config.yaml says pipelines_dir: nowhere, which is no folder" in desk.engine("tools").stderr


def test_plan_tells_what_a_run_would_do_in_sentences(desk: Desk) -> None:
    said = {
        one["endpoint"]: one["how"] for one in json.loads(desk.engine("plan", "shop", "--json").stdout)["endpoints"]
    }
    assert {
        "things": ["pages by offset, 2 records each"],
        "parts": ["for each thing of things", "may be skipped: needs the Parts add-on"],
    } == said


def test_plan_shows_response_rules_and_those_behind_them(desk: Desk) -> None:
    lines = [line.strip() for line in desk.engine("plan", "shop", "-v").stdout.splitlines()]
    assert "403: this request's records are left out: needs the Parts add-on" in lines
    assert "any other status of 400 and more: incomplete" in lines


def test_plan_says_how_long_a_run_may_take(desk: Desk) -> None:
    assert "an answer may take 30s, to connect 10s; a collection ends after 24h" in desk.engine("plan", "shop").stdout
