"""Two versions of a tool's tables, as a person reads what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from engine.cli.screen import console
from engine.cli.text import clean, count, short

SIMULATED = "SIMULATED: all of this is made up"


def show(found: Any, limit: int) -> None:
    """Print what differs, with examples of rows."""
    out = console()
    about = found.about()
    old, new = about["from"], about["to"]
    out.print(clean(f"{about['tool']}  {old['run']} -> {new['run']}"), style="bold")
    if old["simulated"] or new["simulated"]:
        out.print(SIMULATED, style="bold magenta")
    for word, version in (("before", old), ("after", new)):
        if not version["complete"]:
            out.print(clean(f"incomplete {word}: run {version['run']} did not see everything"), style="yellow")
    for table in found.tables:
        told = table.about()
        out.print()
        out.print(clean(f"{told['table']}  {_summary(told)}"), style="bold" if told["state"] != "same" else None)
        for line in _lines(told):
            out.print(clean(f"  {line}"))
        changes = list(table.changes(limit))
        for change in changes:
            out.print(clean(f"  {_change(change)}"))
        more = sum(told["counts"][word] for word in ("added", "removed", "changed")) - len(changes)
        if told["state"] == "changed" and more > 0:
            out.print(f"  and {count(more, 'more change')}; --limit N shows more, --format jsonl all", style="dim")


def _summary(told: Mapping[str, Any]) -> str:
    if told["state"] in ("added", "removed"):
        rows = told["rows"]["to" if told["state"] == "added" else "from"]
        return f"table {told['state']}, with {count(rows, 'row')}"
    counts = told["counts"]
    if not any(counts[word] for word in ("added", "removed", "changed")):
        return f"{count(counts['same'], 'row')}, all as before"
    by = f" (by {', '.join(told['key'])})" if told["key"] else " (it has no key: changed rows are removed and added)"
    words = [f"{counts[word]:,} {word}" for word in ("added", "removed", "changed") if counts[word]]
    return f"{', '.join(words)}, {counts['same']:,} as before{by}"


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    """What differs besides rows."""
    schema = told["schema"] or {}
    for word in ("added", "removed"):
        for name, kind in schema.get(word, {}).items():
            yield f"column {word}: {name} ({kind})"
    for name, kind in schema.get("retyped", {}).items():
        yield f"column retyped: {name}, {kind['from']} -> {kind['to']}"
    for rule in told["rules"]:
        yield f"rule {rule['rule']}: {_outcome(rule['from'])} -> {_outcome(rule['to'])}"
    whole = told["complete"]
    for word, version in (("before", whole["from"]), ("after", whole["to"])):
        if version is False:
            yield f"incomplete {word}"
    if told["kept_from"]:
        yield f"the later run kept the version of run {told['kept_from']}"


def _outcome(outcome: Mapping[str, Any] | None) -> str:
    if outcome is None:
        return "no such rule"
    failed = f", {outcome['failed']:,} of {outcome['checked']:,} rows failed" if outcome["failed"] else ""
    says = "" if outcome["passed"] or failed else f", {outcome['says']}"
    return f"{'passed' if outcome['passed'] else 'failed'}{failed}{says}"


def _change(change: Mapping[str, Any]) -> str:
    key = ", ".join(f"{name} {_value(value)}" for name, value in change.get("key", {}).items())
    if change["change"] == "changed":
        parts = [f"{name}: {_value(one['from'])} -> {_value(one['to'])}" for name, one in change["columns"].items()]
        return f"~ {key}  {short(', '.join(parts))}"
    rest = [f"{name}: {_value(value)}" for name, value in change["row"].items() if name not in change.get("key", {})]
    return "  ".join(filter(None, [f"{'+' if change['change'] == 'added' else '-'} {key}", short(", ".join(rest))]))


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
