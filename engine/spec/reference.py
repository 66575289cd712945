"""The docs that are generated and `schemas/pipeline.schema.json`, written from the models and parts: `just docs`."""

from __future__ import annotations

import json
import re
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, BeforeValidator

from engine.core.errors import ConfigError, EngineError, nearest
from engine.core.filters import FILTERS
from engine.core.kinds import KINDS, Part
from engine.core.registry import Registry
from engine.core.sql import functions
from engine.core.values import ColumnName, Duration, Percent, Rate, Size, Spelled
from engine.core.wire import Place
from engine.spec.collect import Endpoint
from engine.spec.model import ColumnType, ParamType, Pipeline
from engine.spec.prose import prose, sample
from engine.spec.schema import models, page_schema, short_of
from engine.spec.vocabulary import vocabulary

ROOT = Path(__file__).parents[2]
WRITTEN = "<!-- Written by `just docs` from the models and parts; do not edit. -->"
KIND_SAYS = {
    "auth": "How requests are signed: the word below `connection.auth`.",
    "paginate": "How one page leads to the next: the word below `paginate` of an endpoint.",
    "decode": "How answers that are no JSON become JSON: the words of `decode`, also in chains such as `gzip+csv`.",
    "rules": "What must hold: entries of `validate` of a table, applied before enrichment.",
    "steps": "What is added: entries of `enrich` of a table, one after the other.",
    "outputs": "What comes out: the word below the name of a report.",
}
COLUMN_TYPES = {
    "string": 'Text; half of a surrogate pair (`"\\ud800"`), which no text can hold, is U+FFFD. A JSON number is its '
    "value written plainly: 1.10 is `1.1`, 1E5 is `100000`, 12345678901234567890.10 is `12345678901234567000`, -0.0 is "
    "`-0`. With a fraction or an exponent it has the 17 digits of a float, a whole number has all of its digits; type "
    "`json` keeps what was sent. true is `true`.",
    "integer": "A whole number of 64 bits; from text as well.",
    "float": "A number of 64 bits, which holds every whole number up to 2^53 and not all beyond; from text as well.",
    "boolean": "true or false; from text as well.",
    "datetime": "A time in UTC, to the microsecond: RFC 3339 (without an offset it is UTC), or a number with `unit`.",
    "date": "A day: `2026-01-31`.",
    "list": "A list of texts; its elements are taken as those of `string`.",
    "json": "Any value, kept as its JSON text; with a plain path such as `fields.size` it is the text that was sent.",
}
PARAM_TYPES = {
    "string": "Text.",
    "integer": "A whole number.",
    "number": "A number.",
    "boolean": "`true` or `false`.",
    "list": "Texts with `split` between them, or a YAML list.",
    "duration": f"{Duration.says[0].upper()}{Duration.says[1:]}.",
    "rate": f"{Rate.says[0].upper()}{Rate.says[1:]}.",
    "path": "The path of a file or folder.",
}
NAMESPACES = {
    "param": "The page's params. Everywhere.",
    "secret": "The page's secrets. In `connection.auth`, in `connection.proxy` and in `mask`, nowhere else.",
    "run": "`run.id` and `run.started_at`. In what is sent, and in `add`.",
    "window": "`window.start` and `window.end`. In what is sent, and in `add`, of an endpoint with `incremental`.",
    "job": "What a step of a job read: `job.id` of create, `job.result` of poll, or the fields of an object. In the "
    "steps behind it.",
    "answer": "The decoded answer. In `say` of a response rule.",
    "aliases": "Each alias of `for_each`, and those of the endpoints above: the parent record.",
}
FILTER_SAYS = {
    "path": "Percent-encoded, but slashes stay.",
    "base64": "The text's UTF-8 bytes in Base64.",
    "last_segment": "What follows the last slash.",
    "hash": "A hash of the text, as hex unless said: md5, sha1, sha256, sha384, sha512; hex, HEX, base64, base64url.",
    "lower": "In lower case.",
    "upper": "In upper case.",
    "default": "Another value where this one is null or missing.",
    "date": "A time in another form; without one RFC 3339.",
    "join": "The values of a list as one text.",
}
READ = {
    "answer": "The decoded body.",
    "headers": "The headers, their names in lower case.",
    "cookies": "The cookies that the answer of a sign-in sets.",
    "status": "The status.",
    "rows": "The records of this page.",
    "last": "The last record of this page.",
    "link": "The Link headers: `link.next.url`, absolute, and the link's attributes, such as `link.next.results`.",
    "window": "The window, with `start` and `end`.",
}
SQL_GROUPS = (
    ("Of a row", functions.SCALAR),
    ("Of several rows", functions.AGGREGATE),
    ("Over neighbouring rows", functions.WINDOW),
    ("Of a list", functions.UNNEST),
)
STYLES = """\
`defaults` is merged into every endpoint. `styles` holds more of the same by name: an endpoint says `use: NAME` and
takes its words over; of several, `use: [a, b]`, each stands above those before it. What an endpoint says itself stands
above its style, and the style above the defaults. Mappings merge at every depth; lists and variants such as `paginate`
replace. `responses: { prepend: [ … ] }` puts rules in front of those of the style. Keys that start with `x-` are for
the author alone, and a good place for YAML anchors."""


@dataclass(frozen=True)
class Section:
    """A piece of the reference: the words it can be asked for by, and its text."""

    words: tuple[str, ...]
    title: str
    text: str
    level: int = 3
    fields: tuple[tuple[str, str], ...] = ()
    """Field -> its row in the table."""

    def markdown(self) -> str:
        """The piece with its heading."""
        return f"{'#' * self.level} {self.title}\n\n{self.text}".strip() + "\n"


def reference(word: str | None = None) -> str:
    """What there is to say of a word, or everything, as markdown. Raises ConfigError for an unknown word."""
    registry = _registry()
    if word is None:
        return "\n".join([f"# Reference\n\n{WRITTEN}\n", *(one.markdown() for one in _sections(registry))])
    found = [one.markdown() for one in _sections(registry, word) if word in one.words]
    if not found:
        sections = list(_sections(registry))
        fields = [(one.title, name, row) for one in sections for name, row in one.fields]
        rows = [(title, row) for title, name, row in fields if name == word]
        rows = rows or [(title, row) for title, _, row in fields if f"`{word}`" in row.split(" | ")[1]]
        found = [f"{HEAD}{row}\n\nA field of {title}.\n" for title, row in rows]
    if not found:
        known = sorted({name for one in sections for name in (*one.words, *(name for name, _ in one.fields))})
        raise ConfigError(f'no word is called "{word}"{nearest(word, known)}', "engine reference lists all words")
    return "\n".join(found)


def _registry() -> Registry:
    return Registry({kind: f"engine.parts.{kind}" for kind in KINDS})


def _sections(registry: Registry, only: str | None = None) -> Iterator[Section]:
    """Every piece; of the parts those of one word alone, where only that is asked for: others are not imported."""
    yield Section(("page",), "The page", "One YAML file describes one vendor, whole.", 2)
    for path, model in models(Pipeline, ""):
        yield _of_model(path, model)
        if model is Endpoint:
            yield Section(("defaults", "styles", "use", "prepend"), "defaults, styles and use", STYLES)
    for kind in KINDS:
        yield Section((kind,), kind, KIND_SAYS[kind], 2)
        for word in registry.words(kind):
            if only in (None, word) and (part := registry.part(kind, word)):
                yield _of_part(word, part)
    yield from _values()
    yield from _languages()
    yield Section(("exit", "exit codes"), "Exit codes", _exits(), 2)


def _of_model(path: str, model: type[BaseModel]) -> Section:
    words = tuple(step for step in path.split(".") if step != "NAME") or ("page",)
    title = f"`{path}`" if path else "Its sections"
    rows = _rows(model)
    text = "\n\n".join([_told(model), *_shown(model), _table(rows)])
    return Section((path, words[-1]), title, text, fields=tuple(rows))


def _of_part(word: str, part: type[Part]) -> Section:
    text = [_told(part), *_shown(part)]
    rows = _rows(part)
    if rows:
        text.append(_table(rows))
    for path, inner in list(models(part, ""))[1:]:
        rows += (below := _rows(inner))
        text.append(f"**`{path}`**: {prose(inner)}\n\n{_table(below)}")
    return Section((word,), f"`{word}`", "\n\n".join(text), fields=tuple(rows))


def _shown(model: type[BaseModel]) -> list[str]:
    """The example, where there is one."""
    return [f"```yaml\n{example}\n```"] if (example := sample(model)) else []


def _told(model: type[BaseModel]) -> str:
    """The docstring, and what a bare value means."""
    short = short_of(model)
    return f"{prose(model)}\n\nA bare value stands for `{short}`." if short else prose(model)


HEAD = "| field | type | default | description |\n|---|---|---|---|\n"


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return HEAD + "\n".join(row for _, row in rows)


def _rows(model: type[BaseModel]) -> list[tuple[str, str]]:
    """Each field with its row."""
    rows = []
    for name, info in model.model_fields.items():
        word = info.alias or name
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        empty = isinstance(default, BaseModel) or default in (None, "", [], {})  # a model's own fields tell theirs
        shown = "required" if info.is_required() else "" if empty else f"`{_plain(default)}`"
        described = (info.description or "").replace("|", "\\|")
        rows.append((word, f"| `{word}` | {_type(info.annotation, info.metadata)} | {shown} | {described} |"))
    return rows


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (bool, int, float, list)) else str(value)


NAMES: Mapping[str, str] = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Any": "any value",
    "Template": "template",
    "SignedText": "template",
    "SentText": "template",
    "Credential": "`${secret.NAME}`",
    "ParamTemplate": "`${param.NAME}`",
    "Jmes": "JMESPath",
    "Sql": "SQL",
    "Query": "SELECT",
    "Duration": "duration",
    "TimeFormat": "form of time",
    "Rate": "rate",
    "Size": "size",
    "Percent": "share",
    "Place": "place",
    "Chain": "chain of decoders",
    "Cron": "line of cron",
    "Zone": "time zone",
    "ColumnName": "column",
    "TableName": "table",
    "EndpointName": "endpoint",
    "Auth": "auth",
    "Paginator": "paginate",
    "Rule": "rule",
    "Step": "step",
    "Output": "output",
}


def _type(kind: Any, metadata: Sequence[Any] = ()) -> str:
    """A type in the words of the page."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    for one in metadata:
        if isinstance(one, BeforeValidator) and kind is Spelled:
            return _type(one.json_schema_input_type)
    if origin is typing.Annotated:
        return _type(arguments[0], arguments[1:])
    if origin is typing.Literal:
        return ", ".join(f"`{_plain(one)}`" for one in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{'column' if arguments[0] is ColumnName else 'name'} → {_type(arguments[1])}"
    if arguments:
        shown = [_type(one) for one in arguments if one is not type(None) and getattr(one, "__name__", "") != "Secret"]
        return " or ".join(dict.fromkeys(one for one in shown if one != "Secret"))
    name = getattr(kind, "__name__", str(kind))
    return NAMES.get(name) or re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def _values() -> Iterator[Section]:
    yield Section(("types",), "Values", "What stands in columns and params, and how units are written.", 2)
    columns = [f"| `{one}` | {COLUMN_TYPES[one]} |" for one in typing.get_args(ColumnType)]
    yield Section(
        ("column types", *COLUMN_TYPES), "Column types", "| type | values |\n|---|---|\n" + "\n".join(columns)
    )
    params = [f"| `{one}` | {PARAM_TYPES[one]} |" for one in typing.get_args(ParamType)]
    yield Section(
        ("param types", "duration", "rate"), "Param types", "| type | values |\n|---|---|\n" + "\n".join(params)
    )
    units = "\n".join(f"- {one.says[0].upper()}{one.says[1:]}." for one in (Duration, Rate, Size, Percent))
    yield Section(("units", "size"), "Units", units)
    read = "\n".join(f"- `{name}`: {says}" for name, says in READ.items())
    places = (
        f"What is sent goes to {Place.says}. For query, header and cookie everything behind the first dot is the name."
    )
    yield Section(("place", "places"), "Places", f"{places}\n\nWhat paginators read is JMESPath over:\n\n{read}")


def _languages() -> Iterator[Section]:
    yield Section(("languages",), "Languages inside the page", LANGUAGES, 2)
    names = "\n".join(f"- `{name}`: {says}" if name != "aliases" else f"- {says}" for name, says in NAMESPACES.items())
    filters = "\n".join(f"- `{one.example}`: {FILTER_SAYS[name]}" for name, one in FILTERS.items())
    text = f"{TEMPLATES}\n\n{names}\n\nFilters:\n\n{filters}"
    yield Section(("template", "templates", "filters", *FILTERS), "Templates", text)
    text = SQL + "".join(
        f"\n\n{title}:\n\n"
        + "\n".join(f"- `{says.partition(': ')[0]}`: {says.partition(': ')[2]}" for _, says in sorted(group.items()))
        for title, group in SQL_GROUPS
    )
    yield Section(("sql", "SQL", *functions.FUNCTIONS), "SQL", text)


LANGUAGES = """\
| job | language | words |
|---|---|---|
| fill a text | template, `${…}` | addresses, query, header, body, `add`, `say`, file names, settings |
| read JSON | [JMESPath](https://jmespath.org) | `records`, `path`, `each`, `read`, `take`, `where` of `for_each` |
| decide or derive on rows | SQL | `where` and `delete_when` of tables, `derive`, `expression`, `sql` |

A template never stands inside SQL or JMESPath; one whole `${param.NAME}` may stand for a JMESPath expression. SQL
knows `param.NAME`, `run.id` and `run.started_at` as values."""
TEMPLATES = """\
A value that is one whole template keeps its type, and null leaves a query field, header or body field out. A field of
a parent in `for_each` that is null or missing where it is sent leaves nothing out, as that would ask for everything:
its unit is incomplete and named. `${api.id|default('')}` sends an empty text there, `${api.id if api.id}` sends
nothing. Inside an address every value is percent-encoded, slashes too, and none may be empty. `$${` is a literal
`${`. There are names, keys, filters, operators and `a if x else b`; there are no calls and no statements. A template
may read:"""
SQL = """\
The SQL of Polars: an expression over the columns of one row, or one SELECT over the page's tables with joins, WITH,
GROUP BY, windows and UNION. A name with signs in it stands in double quotes, a text in single ones. `CAST` is refused
where one bad value would stop the run: `TRY_CAST` gives null. Whole numbers have 64 bits: sums and products beyond
9.2 × 10^18 wrap around without a word; where they may come so far, `CAST(x AS DOUBLE)` first. These functions can be
called:"""


def _exits() -> str:
    """The tree of errors as a table, least to greatest."""
    rows = {0: "Done.", 1: "A defect of the engine; its record is in the storage's `logs` folder."}
    rows |= {error.exit_code: (error.__doc__ or "").strip() for error in EngineError.__subclasses__()}
    rows[2] = "The page, the configuration or the command is wrong."
    rows[3] = "The vendor could not be read, or not wholly: what came is kept, and the run says what is missing."
    rows[130] = "Stopped by a person or the system; what was kept stays kept."
    return "| exit | meaning |\n|---|---|\n" + "\n".join(f"| {code} | {rows[code]} |" for code in sorted(rows))


# --- the two files


def written() -> dict[Path, str]:
    """Every generated file with what belongs into it."""
    schema = json.dumps(page_schema(_registry()), indent=1, ensure_ascii=False) + "\n"
    docs = ROOT / "docs"
    pages = {docs / "reference.md": reference(), docs / "vocabulary.md": vocabulary(_registry())}
    return {**pages, ROOT / "schemas" / "pipeline.schema.json": schema}


def main(words: Sequence[str]) -> int:
    """Write the files; with `--check` only say which are stale."""
    stale = [place for place, text in written().items() if not place.exists() or place.read_text() != text]
    if "--check" in words:
        for place in stale:
            sys.stderr.write(f"{place.relative_to(ROOT)} is stale: run just docs\n")
        return 1 if stale else 0
    for place in stale:
        place.write_text(written()[place])
        sys.stdout.write(f"wrote {place.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
