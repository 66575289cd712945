"""Help and lint answer at once, because they load nothing that they do not need."""

from pathlib import Path

from tests.house.command import engine

SLOW_TO_LOAD = {"httpx2", "polars", "sqlalchemy", "sqlite3", "pyarrow"}
OF_OTHER_WORK = SLOW_TO_LOAD | {"jinja2", "sqlglot", "rich", "urllib3", "cryptography", "zstandard", "engine.flow"}
"""What lint needs only where SQL, steps or templates beyond a name and a filter are on the page."""
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


RULES = """\
version: 1
tool: tiny
secrets: { token: { env: TOKEN } }
connection: { base_url: "https://api.example", auth: { bearer: { token: "${secret.token}" } } }
params: { of: { default: us } }
endpoints: { things: { get: "/${param.of|path}/things", records: "@" } }
tables:
  things:
    from: things
    key: id
    columns:
      id: { path: id, type: string }
      parent: { path: parent, type: string }
      kind: { path: kind, type: string }
      score: { path: score, type: float }
      made_at: { path: made_at, type: datetime }
    validate:
      - required: [id, made_at]
      - unique: id
      - one_of: { column: kind, values: [a, b] }
      - range: { column: score, min: 0, max: 9.5 }
      - range: { column: made_at, min: 2010-01-01 }
      - pattern: { column: id, regex: '^[a-z]+-\\d{4}$' }
      - refers_to: { column: parent, table: things, to: id }
      - freshness: { column: made_at, within: 2d, level: warning }
      - forbid: [password]
      - row_count: { min: 1 }
      - columns_changed: { level: warning }
reports:
  sheet: { excel: { sheets: { Things: things } } }
  page: { html: { tables: [things] } }
  lines: { jsonl: things }
"""


def test_lint_of_a_page_without_rules_loads_only_what_reads_it(tmp_path: Path) -> None:
    assert (0, set()) == _linted(tmp_path, PAGE)


def test_lint_of_a_page_whose_rules_surely_suit_its_columns_tries_nothing(tmp_path: Path) -> None:
    assert (0, set()) == _linted(tmp_path, RULES)


def test_lint_tries_a_rule_that_does_not_suit_its_column(tmp_path: Path) -> None:
    code, loaded = _linted(tmp_path, RULES.replace("type: float", "type: string"))
    assert (2, True) == (code, "polars" in loaded)


def _linted(folder: Path, text: str) -> tuple[int, set[str]]:
    """The exit code of lint, and what it loaded for nothing."""
    page = folder / "tiny.yaml"
    page.write_text(text)
    answer = engine("lint", page)
    return answer.exit_code, answer.modules & OF_OTHER_WORK
