"""Every way to page and to decode, on a small page that is run whole: exactly the vendor's records come out."""

from pathlib import Path

import pytest

from engine.app.engine import registry
from tests.author.whole import Whole

HEAD = """
version: 1
tool: acme
params: { way: { default: only } }
secrets: { key: { env: ACME_KEY } }
connection: { base_url: "https://api.acme.example/v2", auth: { bearer: { token: "${secret.key}" } }, concurrency: 2 }
"""
COLUMNS = """
    columns:
      id: { path: id, type: string }
      name: { path: name, type: string }
      size: { path: size, type: integer }
"""
TABLE = f"""
tables:
  things:
    from: things
    key: id
    null_values: [""]{COLUMNS}"""
SIZE = "size: { send: query.limit, value: 10 }"
PAGINATE = {
    "none": "none",
    "choose": f'{{ choose: {{ by: "${{param.way}}", options: {{ only: {{ start_key: {{ read: last.id, send: query.at, '
    f"{SIZE} }} }} }} }} }}",
    "page_number": f"{{ page_number: {{ send: query.page, {SIZE}, total: answer.total }} }}",
    "offset": f"{{ offset: {{ send: query.at, {SIZE} }} }}",
    "cursor": f"{{ cursor: {{ read: answer.next, send: query.at, {SIZE} }} }}",
    "next_url": f"{{ next_url: {{ read: answer.next, {SIZE} }} }}",
    "link_header": f"{{ link_header: {{ {SIZE} }} }}",
    "start_key": f"{{ start_key: {{ read: last.id, send: query.at, {SIZE} }} }}",
    "time_window": "{ time_window: { send: { from: query.since, until: query.before }, step: 90d, start: 800d } }",
}
CURSORS = {
    "in the path": "{ cursor: { read: answer.next, send: path.at } }",
    "in a header": '{ cursor: { read: headers."x-next", send: header.X-At } }',
    "in the body": "{ cursor: { read: last.id, send: body.page.at } }",
    "and has_more": "{ cursor: { read: last.id, send: query.at, has_more: answer.more } }",
}
DECODE = {
    "json": "json",
    "jsonl": "jsonl",
    "csv": "gzip+csv",
    "xml": "{ xml: { lists: [thing] } }",
    "gzip": "gzip+json",
    "zip": "zip+jsonl",
    "base64": "base64+gzip+csv",
}
RECORDS = {"json": "list", "gzip": "list", "xml": "list.thing"}


def page(endpoint: str, table: str = TABLE) -> str:
    """A page of one endpoint and what its records mean."""
    return f"{HEAD}endpoints:\n  things:\n{endpoint}{table}"


def asking(*words: str) -> str:
    """The words of an endpoint, each on its line."""
    return "".join(f"    {word}\n" for word in words)


def assert_whole(whole: Whole) -> None:
    """A run succeeds, and gives exactly what the vendor has."""
    result = whole.run()
    assert ("succeeded", []) == (result.status, result.warnings())
    came, there = whole.rows(), whole.world()
    assert ([], []) == ([row for row in there if row not in came], [row for row in came if row not in there])
    assert len(came) > 5


@pytest.mark.parametrize("word", PAGINATE)
def test_each_way_to_page(tmp_path: Path, word: str) -> None:
    records = "'@'" if word == "link_header" else "list"
    asked = asking("get: /things", f"records: {records}", f"paginate: {PAGINATE[word]}")
    assert_whole(Whole.of(page(asked), tmp_path))


@pytest.mark.parametrize("where", CURSORS)
def test_a_cursor(tmp_path: Path, where: str) -> None:
    path = "/things/{at}" if where == "in the path" else "/things"
    asked = asking(f'post: "{path}"', "body: { kind: thing }", "records: list", f"paginate: {CURSORS[where]}")
    assert_whole(Whole.of(page(asked), tmp_path))


@pytest.mark.parametrize("word", DECODE)
def test_each_way_to_decode(tmp_path: Path, word: str) -> None:
    asked = asking("get: /things", f'records: "{RECORDS.get(word, "@")}"', f"decode: {DECODE[word]}")
    assert_whole(Whole.of(page(asked), tmp_path))


def test_every_word_has_a_page_here() -> None:
    pages = {"paginate": PAGINATE, "decode": DECODE}
    assert {kind: set(registry().words(kind)) for kind in pages} == {kind: set(one) for kind, one in pages.items()}
