"""Help and lint answer at once, because they load nothing that they do not need."""

from pathlib import Path

from tests.house.command import engine

SLOW_TO_LOAD = {"httpx2", "polars", "sqlalchemy", "sqlite3", "pyarrow"}
PAGE = """\
version: 1
tool: tiny
connection: { base_url: "https://api.example" }
endpoints: { things: { get: /things, records: "@" } }
tables: { things: { from: things, key: id, columns: { id: id } } }
"""


def test_help_loads_only_the_command_line() -> None:
    answer = engine("--help")
    assert (0, set()) == (answer.exit_code, answer.modules & (SLOW_TO_LOAD | {"jinja2", "jmespath", "sqlglot"}))


def test_lint_of_a_page_without_sql_loads_neither_http_client_nor_polars(tmp_path: Path) -> None:
    page = tmp_path / "tiny.yaml"
    page.write_text(PAGE)
    answer = engine("lint", page)
    assert (0, set()) == (answer.exit_code, answer.modules & SLOW_TO_LOAD), answer.output
