"""One library, one owner; and one owner for what is not pure: environment, clock, randomness, disk."""

import ast
import sys
from collections.abc import Iterator

from tests.house.source import Module, dotted, modules

EVERYWHERE = ("core", "parts", "spec", "flow", "app", "author", "cli")
OWNERS = {
    "click": ("cli",),
    "cronsim": ("core/cron",),
    "cryptography": ("flow/seal", "parts/auth"),
    "fastexcel": ("flow/files",),
    "jinja2": ("core/template",),
    "jmespath": ("core/select",),
    "jsonschema_rs": ("parts/rules/json_schema",),
    "jwt": ("parts/auth",),
    "msgspec": ("core/jsontext", "core/select", "flow/raw", "flow/frames", "flow/ways"),
    "polars": (
        *("core/kinds", "core/select", "core/sql"),  # kinds names its types, no more
        *("flow/columns", "flow/frames", "flow/sort", "flow/validate", "flow/assemble", "flow/enrich", "flow/analyze"),
        *(
            "flow/apart",
            "flow/rejects",
            "flow/merge",
            "flow/tables",
            "flow/surroundings",
            "flow/made",
            "flow/publish",
            "flow/files",
            "flow/run",
        ),
        *("flow/parquet", "flow/across", "flow/contracts", "flow/instants", "flow/lists", "flow/ways"),
        *("flow/early", "flow/intake", "flow/settle", "flow/untouched"),
        *("parts/rules", "parts/steps", "parts/outputs", "parts/_columns"),
        *("spec/lint", "app", "author/simulate"),
    ),
    "pydantic": EVERYWHERE,
    "pydantic_core": EVERYWHERE,
    "rich": ("cli",),
    "sqlglot": ("core/sql",),
    "psycopg": ("flow/ledger",),
    "sqlite3": ("flow/ledger",),
    "truststore": ("flow/trust",),
    "urllib3": ("flow/line",),
    "xlsxwriter": ("parts/outputs/excel", "parts/outputs/_excel"),
    "yaml": ("spec/yamlfile",),
    "zstandard": ("flow/raw",),
}

# Two random things are made where they are needed: the id of an error, and the salts, nonces and keys of encryption,
# which nobody may hand in, for one that comes twice gives the content away.
RANDOM = ("app", "core/errors", "flow/seal")
NOT_PURE = {
    "os.environ": ("app", "cli/main"),
    "os.getenv": ("app",),
    "datetime.datetime.now": ("app",),
    "datetime.datetime.today": ("app",),
    "datetime.datetime.utcnow": ("app",),
    "datetime.date.today": ("app",),
    "time.time": ("app",),
    "time.time_ns": ("app",),
    "os.urandom": RANDOM,
    "random.choice": RANDOM,
    "random.randint": RANDOM,
    "random.random": RANDOM,
    "random.uniform": RANDOM,
    "secrets.token_bytes": RANDOM,
    "secrets.token_hex": RANDOM,
    "uuid.uuid1": RANDOM,
    "uuid.uuid4": RANDOM,
}
DISK = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink", "touch"}


def _owned_elsewhere(module: Module) -> Iterator[str]:
    for found in module.imports:
        library = found.target.partition(".")[0]
        known = library == "engine" or (library in sys.stdlib_module_names and library not in OWNERS)
        if not known and not module.lies_in(*OWNERS.get(library, ())):
            yield f"{module.place}:{found.line} imports {library}, which belongs to {OWNERS.get(library, 'nobody')}"


def _impure(module: Module) -> Iterator[str]:
    names = {found.target.rpartition(".")[2]: found.target for found in module.imports}
    for node, _ in module.nodes:
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        first, dot, rest = dotted(node).partition(".")
        name = f"{names.get(first, '')}{dot}{rest}"
        if name in NOT_PURE and not module.lies_in(*NOT_PURE[name]):
            yield f"{module.place}:{node.lineno} uses {name}, which belongs to {NOT_PURE[name]}"


def _disk(module: Module) -> Iterator[str]:
    for node, _ in module.nodes:
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in DISK:
            yield f"{module.place}:{node.lineno} touches the disk"


def test_libraries_are_imported_by_their_owners_only() -> None:
    assert [] == [finding for module in modules() for finding in _owned_elsewhere(module)]


def test_environment_clock_and_randomness_are_handed_in() -> None:
    assert [] == [finding for module in modules() for finding in _impure(module)]


def test_core_and_parts_leave_the_disk_alone() -> None:
    pure = [m for m in modules() if m.lies_in("core", "parts") and not m.lies_in("parts/outputs")]
    assert [] == [finding for module in pure for finding in _disk(module)]
