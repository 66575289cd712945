"""What a vendor does besides listing records, on small pages that are run whole: exports, known pages, trouble."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.author.test_simulate_asking import DATED
from tests.author.test_simulate_words import TABLE, asking, assert_whole, page
from tests.author.whole import Whole

EXPORT = """    job:
      create: { post: /exports, body: { from: "${window.start}", until: "${window.end}" }, read: answer.id }
      poll: { POLLED, failed: "answer.state == 'ERROR'", every: 10m, deadline: 1h }
      FETCHED
    incremental: { field: at, start: 30d, step: 10d }
"""
DONE = "done: \"answer.state == 'DONE'\""
POLLED = f'get: "/exports/${{job.id}}", {DONE}'
FETCHED = {
    "files elsewhere": "fetch: { urls: 'answer.files[].url', auth: none, decode: gzip+csv }",
    "one file": "fetch: answer.url",
    "an address": 'fetch: { get: "/exports/${job.id}/content" }',
    "a located file": 'locate: { get: "/files/${job.id}" }\n      fetch: { urls: answer.url, auth: none, decode: '
    "{ by: answer.packed, options: { GZIP: gzip+jsonl, ZIP: zip+csv }, chain: csv } }",
}
DATES = DATED.replace("COLUMN", "datetime")


def _export(polled: str, fetched: str) -> str:
    text = page(EXPORT.replace("POLLED", polled).replace("FETCHED", fetched), DATES)
    return text.replace("concurrency: 2", "allow_hosts: ['*.files.example']")


@pytest.mark.parametrize("how", FETCHED)
def test_an_export_is_created_polled_and_fetched(tmp_path: Path, how: str) -> None:
    assert_whole(Whole.of(_export(POLLED, FETCHED[how]), tmp_path))


def test_a_poll_names_what_is_fetched(tmp_path: Path) -> None:
    polled = f"{POLLED}, empty: \"answer.state == 'NONE'\", read: answer.result.document"
    fetched = 'locate: { get: "/documents/${job.result}" }\n      fetch: answer.url'
    assert_whole(Whole.of(_export(polled, fetched), tmp_path))


def test_several_fields_of_an_answer_name_an_export(tmp_path: Path) -> None:
    text = _export(
        "get: \"/exports/${job.id}\", done: \"contains(['ready','done'], answer.jobs[0].state)\"",
        'fetch: { get: "/exports/${job.id}/${job.part}" }',
    )
    assert_whole(Whole.of(text.replace("read: answer.id", "read: answer"), tmp_path))


def test_an_export_is_not_ready_at_once(tmp_path: Path) -> None:
    _, said = Whole.of(_export(POLLED, FETCHED["one file"]), tmp_path).watched()
    states = [page.answer.get("state") for page in said if "/exports/" in page.request.url]
    assert sorted(states) == ["DONE"] * 3 + ["pending"] * 3


# --- what else a vendor does


def test_a_page_that_is_known_is_not_sent_again(tmp_path: Path) -> None:
    paginate = "paginate: { page_number: { send: query.page, size: { send: query.size, value: 10 } } }"
    whole = Whole.of(page(asking("get: /things", "records: list", "conditional: true", paginate)), tmp_path)
    assert {200} == {one.status for one in whole.watched()[1]}
    assert {304} == {one.status for one in whole.watched()[1]}
    assert whole.world() == whole.rows()


@pytest.mark.parametrize(
    "stop", ["answer.more == `false`", "!(answer.meta.more)", "answer.left < `1`", "length(rows) < `10`"]
)
def test_an_answer_says_stop_on_the_last_page(tmp_path: Path, stop: str) -> None:
    size = "size: { send: query.size, value: 10 }"
    paginate = f'paginate: {{ page_number: {{ send: query.page, {size}, stop_when: "{stop}" }} }}'
    assert_whole(Whole.of(page(asking("get: /things", "records: list", paginate)), tmp_path))


RESPONSES = """    responses:
      - when: { status: 429 }
        wait: { until: headers."x-reset", as: epoch_s }
      - when: { status: 200, body: "contains(error.message, 'busy')" }
        retry: { times: 3, wait: 10m }
      - when: { status: 403 }
        skip: { say: not allowed }
"""


def test_what_the_page_bears_is_met_once_and_nothing_is_missing(tmp_path: Path) -> None:
    asked = asking("get: /things", "records: list", "paginate: { offset: { send: query.at } }")
    whole = Whole.of(page(asked + RESPONSES), tmp_path)
    _, said = whole.watched()
    troubles = [one for one in said if one.status == 429 or b"busy" in one.body]
    assert ([429, 200], 403) == ([one.status for one in troubles], 403)
    assert all(one.status != 403 for one in said)
    assert whole.world() == whole.rows()


def test_two_runs_with_one_seed_give_the_same_bytes(tmp_path: Path) -> None:
    text = page(asking("get: /things", "records: list", "paginate: { offset: { send: query.at } }") + RESPONSES)
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        whole = Whole.of(text, tmp_path / name)
        whole.run()
        runs.append({path.name: path.read_bytes() for path in whole.storage.rglob("*.parquet")})
    assert runs[0] == runs[1] != {}


def test_what_is_deleted_is_seldom(tmp_path: Path) -> None:
    table = TABLE.replace("    key: id", "    key: id\n    mode: upsert\n    delete_when: gone_at IS NOT NULL")
    table += "      gone_at: { path: gone_at, type: datetime }\n"
    whole = Whole.of(page(asking("get: /things", "records: list"), table), tmp_path)
    whole.run()
    gone = [row for row in whole.world() if row["gone_at"]]
    assert len(gone) < len(whole.rows()) == len(whole.world()) - len(gone)


def test_what_is_redacted_anywhere_looks_like_a_secret(tmp_path: Path) -> None:
    table = TABLE + "      token: { path: settings.auth.token, type: string }\n"
    asked = asking("get: /things", "records: list", 'redact: [{ path: "settings.**.token", with: hash }]')
    _, said = Whole.of(page(asked, table), tmp_path).watched()
    tokens = [row["settings"]["auth"]["token"] for row in said[0].answer["list"] if "settings" in row]
    assert tokens
    assert all(token.startswith("simulated-") for token in tokens)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(1, 10_000),
    size=st.integers(2, 60),
    ending=st.sampled_from(["total: answer.total", "total_pages: answer.meta.pages", "has_more: answer.more", ""]),
    start=st.integers(0, 3),
)
def test_whatever_the_size_of_pages_all_records_come(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int, ending: str, start: int
) -> None:
    words = f"send: query.page, start: {start}, size: {{ send: query.n, value: {size} }}, {ending}"
    text = page(asking("get: /things", "records: list", f"paginate: {{ page_number: {{ {words} }} }}"))
    whole = Whole.of(text, tmp_path_factory.mktemp("run"))
    assert_whole(Whole(whole.page, whole.storage, seed=seed))


# --- what the page says of a record

TWINS = """version: 1
tool: acme
connection: { base_url: "https://api.acme.example" }
endpoints:
  orgs: { get: /orgs, records: data }
  teams: { for_each: { org: orgs }, get: "/orgs/${org.id}/teams", records: data }
  groups: { for_each: { o: orgs }, get: "/orgs/${o.id}/teams", records: data }
  members: { for_each: { g: groups }, get: "/teams/${g.id}/members", records: data }
tables:
  teams: { from: teams, key: id, columns: { id: id, size: { path: size, type: integer } } }
  groups: { from: groups, key: id, columns: { id: id, name: name } }
"""
TYPED = """version: 1
tool: acme
connection: { base_url: "https://api.acme.example" }
endpoints:
  parents: { get: /parents, records: data }
  detail: { for_each: { p: { endpoint: parents, when_changed: rev } }, get: "/parents/${p.id}/detail" }
tables:
  detail: { from: detail, key: id, columns: { id: id, rev: { path: rev, type: integer } } }
"""
ONE_ELEMENT = """version: 1
tool: acme
connection: { base_url: "https://api.acme.example" }
endpoints:
  things: { get: /things, decode: xml, records: "[r.i]" }
tables:
  things: { from: things, key: id, columns: { id: { path: id, type: string } } }
"""


def test_two_endpoints_that_ask_for_the_same_get_the_same(tmp_path: Path) -> None:
    run = Whole.of(TWINS, tmp_path).run()
    assert (0, 1) == (run.exit_code, len({one.rows for one in run.collections if one.endpoint in ("teams", "groups")}))


@pytest.mark.parametrize("text", [TYPED, ONE_ELEMENT], ids=["a parent of no type", "one element of XML"])
def test_a_page_that_agrees_with_itself_runs_green(tmp_path: Path, text: str) -> None:
    run = Whole.of(text, tmp_path).run()
    assert (0, 0) == (run.exit_code, run.quarantined)
