"""Made-up records fit the page: its paths, its rules, its relations, its windows."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from engine.app.engine import Engine
from engine.author.simulate import Simulator
from engine.flow.report import Result
from tests.author.client import Opening

PAGE = """
version: 1
tool: acme
connection: { base_url: "https://api.acme.example/v2" }
endpoints:
  regions: { get: /regions, records: "@" }
  services: { get: /services, records: data.items }
  issues:
    for_each: { service: { endpoint: services, where: "status == 'active'" } }
    get: /services/${service.id}/issues
    records: issues
    add: { service_id: "${service.id}" }
    incremental: { field: updated_at, send: query.since, start: 90d, order: asc }
  events:
    get: /events
    query: { filter: 'time > "${window.start}"' }
    records: events
    incremental: { field: time, start: 30d }
  reports:
    for_each: { service: services }
    get: /services/${service.id}/report
    add: { service_id: "${service.id}" }
  revoked: { get: /keys, query: { status: revoked }, records: keys }
  stats: { get: /stats, records: "@" }
tables:
  regions: { from: regions, columns: { name: { path: "@", type: string } } }
  services:
    from: services
    key: id
    columns:
      id: { path: id, type: string }
      name: { path: name, type: string }
      status: { path: status, type: string, values: [active, archived] }
      size: { path: size, type: integer }
      created_at: { path: meta.created, type: datetime, unit: ms }
      access: { path: "attributes[?name=='access'].value | [0]", type: string, values: [public, private] }
    validate:
      - required: [id, name]
      - pattern: { column: id, regex: '^S-[0-9]{4}$' }
      - range: { column: size, min: 1, max: 40 }
  issues:
    from: issues
    key: id
    columns:
      id: { path: id, type: integer }
      service_id: { path: service_id, type: string }
      severity: { path: severity, type: string, values: [low, high] }
      created_at: { path: created_at, type: datetime }
      updated_at: { path: updated_at, type: datetime }
    validate:
      - expression: { in_order: updated_at >= created_at }
      - one_of: { column: severity, values: [low, high], level: warning }
  events:
    from: events
    mode: append
    columns:
      service: { path: service, type: string }
      time: { path: time, type: datetime }
      load: { path: load, type: integer }
    validate:
      - range: { column: load, min: 0, max: 100, tolerance: 10% }
      - refers_to: { column: service, table: services, to: id }
  checks:
    from: reports
    rows: [{ each: checks, key_as: code }]
    columns:
      service: parent.service_id
      code: { path: code, values: [v1, v2] }
      passed: { path: passed, type: boolean }
  keys: { from: revoked, key: id, columns: { id: id, status: { path: status, values: [approved, revoked] } } }
  stats:
    from: stats
    rows: { zip: { names: columns, values: values } }
    columns: { day: { path: day, type: date }, calls: { path: calls, type: integer } }
"""


def test_the_same_seed_gives_the_same_answers_in_any_order(opened: Opening) -> None:
    one, two = opened(PAGE), opened(PAGE)
    first = [one.get("/regions"), one.get("/services")]
    assert first[::-1] == [two.get("/services"), two.get("/regions")]


def test_another_seed_gives_other_answers(opened: Opening) -> None:
    assert opened(PAGE, seed=1).get("/services") != opened(PAGE, seed=2).get("/services")


def test_a_list_of_texts_is_bare(opened: Opening) -> None:
    assert all(isinstance(name, str) for name in opened(PAGE).get("/regions"))


def test_records_meet_pattern_and_range(opened: Opening) -> None:
    rows = opened(PAGE).get("/services")["data"]["items"]
    assert all(re.fullmatch("S-[0-9]{4}", row["id"]) for row in rows)
    assert all(1 <= row["size"] <= 40 for row in rows if "size" in row)


def test_a_filtered_path_finds_its_element(opened: Opening) -> None:
    rows = opened(PAGE).get("/services")["data"]["items"]
    found = {one["value"] for row in rows for one in row.get("attributes", ()) if one["name"] == "access"}
    assert {"public", "private"} == found


def test_epoch_times_are_text_where_the_page_names_a_unit(opened: Opening) -> None:
    [made, *_] = [row["meta"]["created"] for row in opened(PAGE).get("/services")["data"]["items"]]
    assert re.fullmatch(r"1[67]\d{11}", made)


def test_every_active_parent_has_an_address_and_the_others_have_none(opened: Opening) -> None:
    vendor = opened(PAGE)
    states = {row["id"]: row["status"] for row in vendor.get("/services")["data"]["items"]}
    codes = {name: vendor.raw(f"/services/{name}/issues").status_code for name in states}
    assert {name: 200 if state == "active" else 404 for name, state in states.items()} == codes


def test_values_refer_to_records_that_exist(opened: Opening) -> None:
    vendor = opened(PAGE)
    known = {row["id"] for row in vendor.get("/services")["data"]["items"]}
    events = vendor.get("/events", filter='time > "2026-01-01T00:00:00Z"')["events"]
    assert {row["service"] for row in events} <= known


def test_times_of_a_record_are_in_order(opened: Opening) -> None:
    vendor = opened(PAGE)
    [name, *_] = [row["id"] for row in vendor.get("/services")["data"]["items"] if row["status"] == "active"]
    rows = vendor.get(f"/services/{name}/issues", since="2026-01-01T00:00:00Z")["issues"]
    assert all(row["created_at"] <= row["updated_at"] < "2026-11-18T15:06:41Z" for row in rows)


def test_only_what_lies_in_the_window_is_served(opened: Opening) -> None:
    vendor = opened(PAGE)
    times = [row["time"] for row in vendor.get("/events", filter='time > "2026-01-01T00:00:00Z"')["events"]]
    later = sorted(times)[len(times) // 2]
    answer = vendor.get("/events", filter=f'time > "{later}"')["events"]
    assert sorted(time for time in times if time >= later) == sorted(row["time"] for row in answer)


def test_an_ascending_list_is_ascending(opened: Opening) -> None:
    vendor = opened(PAGE)
    active = [row["id"] for row in vendor.get("/services")["data"]["items"] if row["status"] == "active"]
    lists = [vendor.get(f"/services/{name}/issues")["issues"] for name in active]
    assert lists == [sorted(rows, key=lambda row: datetime.fromisoformat(row["updated_at"])) for rows in lists]


def test_a_map_has_the_keys_that_the_page_lists(opened: Opening) -> None:
    vendor = opened(PAGE)
    [row, *_] = vendor.get("/services")["data"]["items"]
    assert ["v1", "v2"] == list(vendor.get(f"/services/{row['id']}/report")["checks"])


def test_lines_are_as_long_as_their_names(opened: Opening) -> None:
    stats = opened(PAGE).get("/stats")
    assert ["day", "calls"] == stats["columns"]
    assert {2} == {len(line) for line in stats["values"]}


def test_a_constant_that_filters_is_obeyed(opened: Opening) -> None:
    assert {"revoked"} == {row["status"] for row in opened(PAGE).get("/keys", status="revoked")["keys"]}


def test_records_meet_the_json_schema_beside_the_page(opened: Opening, tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["id", "size"], "properties": {"size": {"type": "string", "enum": ["7"]}}}
    (tmp_path / "thing.json").write_text(json.dumps(schema))
    vendor = opened("""
version: 1
tool: acme
connection: { base_url: "https://api.acme.example/v2" }
endpoints: { things: { get: /things, records: things } }
tables:
  things:
    from: things
    columns: { id: id, size: { path: size, type: integer } }
    validate: [{ json_schema: { file: thing.json } }]
""")
    assert {"7"} == {row["size"] for row in vendor.get("/things")["things"]}


def _run(page: Path, storage: Path) -> Result:
    engine = Engine.from_config(storage=storage, env={"HOME": "/"})
    vendor = Simulator(engine.registry, 1, engine.simulated_clock(1), engine.beside(page))
    return engine.run(page, vendor=vendor)


def test_a_simulated_run_succeeds_and_shows_what_broken_rules_look_like(tmp_path: Path) -> None:
    page = tmp_path / "acme.yaml"
    page.write_text(PAGE)
    result = _run(page, tmp_path / "storage").as_json()
    broken = [rule["rule"] for table in result["tables"] for rule in table["rules"] if rule["failed"]]
    assert ("succeeded", ["one_of", "range"]) == (result["status"], sorted(broken))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_every_shipped_page_runs_simulated(tmp_path: Path, seed: int) -> None:
    for page in sorted(Path("pipelines").glob("*.yaml")):
        assert "succeeded" == _run(page, tmp_path / f"{page.stem}{seed}").status
