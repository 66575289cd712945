"""Everything that can be found wrong with a page before it runs, all at once, each with its place and its mend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from engine.core.errors import Finding, SpecError
from engine.core.registry import Registry
from engine.spec.lint import asking, columns, names, templates
from engine.spec.lint.look import Found, Look
from engine.spec.read import Source, existing, read_page

Lint = Callable[[Look], Iterator[Found]]
LINTS: tuple[Lint, ...] = (
    names.unknown_endpoints,
    names.unknown_tables,
    names.unreadable_queries,
    names.unknown_switches,
    names.wrong_defaults,
    names.wrong_choices,
    names.circles,
    names.endpoints_without_table,
    names.unused_params,
    names.unused_secrets,
    names.unused_styles,
    names.missing_files,
    templates.unknown_names,
    templates.unknown_fields,
    templates.kept_secrets,
    templates.windows_without_incremental,
    templates.templates_that_nobody_fills,
    templates.aliases_that_hide,
    asking.assumed_endpoints,
    asking.wrong_addresses,
    asking.unknown_roots,
    asking.headers_in_capitals,
    asking.unreachable_responses,
    asking.wrong_starts,
    asking.unsent_windows,
    asking.replaced_by_a_part,
    asking.tables_without_key,
    asking.units_without_time,
    columns.wrong_keys,
    columns.wrong_columns,
)

TYPED: tuple[Lint, ...] = (names.unreadable_queries, columns.wrong_columns)
"""Those that type SQL, which takes most of the time."""


def lint_file(path: Path, registry: Registry) -> list[Finding]:
    """What is wrong with the page in a file, sorted by place; an empty list when nothing is."""
    try:
        source = read_page(path, registry)
    except SpecError as error:
        return _sorted(error.findings)
    return lint(source)


def lint(source: Source, lints: Sequence[Lint] = LINTS) -> list[Finding]:
    """What is wrong with a page that could be read, sorted by place."""
    look = Look(source)
    return _sorted([_finding(source, found) for run in lints for found in run(look)])


def _finding(source: Source, found: Found) -> Finding:
    document, mistake = source.document, found.mistake
    path = existing(document.root, found.path)
    key = found.key and len(path) == len(found.path)
    finding = document.finding(
        path, mistake.code, str(mistake), mistake.fix, offset=mistake.offset, key=key, level=found.level
    )
    if found.mark is None:
        return finding
    return Finding(
        found.mark, finding.code, finding.message, finding.fix, finding.level, document.source(found.mark.line)
    )


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, in the order of the page."""
    return sorted(dict.fromkeys(findings), key=lambda one: (one.mark.line, one.mark.column, one.code, one.message))
