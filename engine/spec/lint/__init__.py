"""Everything that can be found wrong with a page before it runs, all at once, each with its place and its mend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.core.credential import EXPOSED
from engine.core.errors import Finding, SpecError
from engine.core.registry import Registry
from engine.spec.lint import (
    answers,
    asking,
    columns,
    names,
    paging,
    places,
    reaching,
    reading,
    secrets,
    templates,
    windows,
)
from engine.spec.lint.look import Found, Look
from engine.spec.read import Loc, Source, existing, read_partly

Lint = Callable[[Look], Iterator[Found]]
LINTS: tuple[Lint, ...] = (
    names.unknown_endpoints,
    names.unknown_tables,
    names.unreadable_queries,
    names.unknown_switches,
    names.parents_that_are_no_list,
    names.wrong_defaults,
    names.wrong_choices,
    names.circles,
    names.tables_of_their_own,
    names.endpoints_without_table,
    names.unused_params,
    names.unused_secrets,
    names.unused_styles,
    names.missing_files,
    templates.unknown_names,
    templates.unknown_fields,
    templates.kept_secrets,
    templates.misplaced_names,
    templates.values_without_fields,
    templates.templates_that_nobody_fills,
    templates.aliases_that_hide,
    asking.assumed_endpoints,
    asking.wrong_addresses,
    asking.wrong_paths,
    asking.replaced_by_a_part,
    asking.tables_without_key,
    asking.units_without_time,
    reading.unknown_roots,
    reading.headers_in_capitals,
    reading.nulls_without_backticks,
    reading.lists_as_one_value,
    answers.unreachable_responses,
    answers.greedy_responses,
    answers.powerless_responses,
    answers.windows_too_short_to_split,
    answers.useless_conditions,
    windows.wrong_starts,
    windows.unsent_windows,
    windows.unknown_steps,
    windows.lossy_formats,
    windows.unreadable_formats,
    windows.powerless_windows,
    paging.places_that_are_not_there,
    paging.bodies_of_get,
    paging.words_of_requests,
    paging.windows_of_paging,
    paging.senseless_allowances,
    paging.cut_lists,
    places.places_told_twice,
    places.credentials_beside_auth,
    reaching.wrong_times,
    reaching.certificates_without_tls,
    reaching.secrets_in_addresses,
    secrets.written_secrets,
    columns.wrong_keys,
    columns.wrong_columns,
)

TYPED: tuple[Lint, ...] = (names.unreadable_queries, columns.wrong_columns)
"""Those that type SQL, which takes most of the time."""


def lint_file(path: Path, registry: Registry) -> list[Finding]:
    """What is wrong with the page in a file, sorted by place; an empty list when nothing is."""
    try:
        source, findings, left_out = read_partly(path, registry)
    except SpecError as error:
        return _sorted(error.findings)
    if source is None:
        return _sorted(findings)
    if not findings:
        return lint(source)
    return _sorted([*findings, *_besides(source, left_out)])


def _besides(source: Source, left_out: Sequence[Loc]) -> Iterator[Finding]:
    """The errors that have nothing to do with what could not be understood: in other entries, of other names."""
    look = Look(source)
    entries = {place[:2] for place in left_out}
    names = {f'"{place[-1]}"' for place in left_out}
    for run in LINTS:
        for found in run(look):
            apart = found.path[:2] not in entries and not any(name in str(found.mistake) for name in names)
            if found.level == "error" and apart:
                yield _finding(source, found)


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
    return replace(finding, mark=found.mark, source=document.source(found.mark.line))


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, in the order of the page; no line with a secret is shown, whatever else is wrong in it."""
    every = list(dict.fromkeys(findings))
    exposed = {one.mark.line for one in every if one.code == EXPOSED}
    shown = [replace(one, source="") if one.mark.line in exposed else one for one in every]
    return sorted(shown, key=lambda one: (one.mark.line, one.mark.column, one.code, one.message))
