"""What a run did, as one screen: endpoints, tables, rules that did not hold, reports, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.cli.screen import console, table
from engine.cli.text import MOST_GAPS, called, clean, count, gaps, short

Json = Any
WORTH_TELLING = 100
"""What becomes of fewer records costs nothing that anybody notices."""
COLOURS = {"succeeded": "green", "rules_failed": "red", "incomplete": "yellow"}


def show(result: Mapping[str, Json], page: str, options: str, *, has_params: bool = False) -> None:
    """Print a result (in the form of `--json`); `options` are those that name config and storage."""
    out = console()
    out.print(f"{result['tool']}  run {result['run']}".removesuffix("  run "), style="bold")
    for line in _course(result):
        out.print(clean(line))
    if result["simulated"]:
        out.print("SIMULATED: no vendor was asked, all of this is made up", style="bold magenta")
    told = [error["message"] for error in result["errors"]]
    if result["endpoints"]:
        rows = [
            (one["endpoint"], f"{one['pages']:,}", f"{one['records']:,}", _ended(one, told))
            for one in result["endpoints"]
        ]
        out.print()
        out.print(table(("endpoint", "pages", "records", ""), rows, right=("pages", "records")))
    if result["tables"]:
        rows = [
            (one["table"], f"{one['rows']:,}", f"{one['quarantined']:,}", _made(one, told)) for one in result["tables"]
        ]
        out.print()
        out.print(table(("table", "rows", "quarantined", ""), rows, right=("rows", "quarantined")))
    broken = list(_broken(result))
    if broken:
        out.print()
        out.print(
            table(
                ("level", "table", "rule that did not hold", "rows", "place on the page", ""), broken, right=("rows",)
            )
        )
    if result["reports"]:
        out.print()
        out.print(table(("report", "path"), result["reports"].items()))
    out.print()
    for line in _errors(result):
        out.print(line)
    for note in [*result["notes"], *_by_jmespath(result)]:
        out.print(clean(note))
    out.print(_summary(result), style=COLOURS.get(result["status"]))
    for line in _next(result, page, options, has_params):
        out.print(f"  {line}")


def _course(result: Mapping[str, Json]) -> Iterator[str]:
    """What other runs it has to do with."""
    if result["resumed_from"]:
        yield f"it went on where it was interrupted: {result['resumed_from']}"
    if result["starts_anew"]:
        yield f"it started anew: {result['starts_anew']}"
    if result["completes"]:
        yield f"it fetched what run {result['completes']} was missing"
    if result["replays"]:
        yield f"nobody was asked: it took what was kept up to run {result['replays']}"


def _ended(endpoint: Mapping[str, Json], told: Sequence[str]) -> str:
    missing = _untold(endpoint["missing"], told)
    if endpoint["missing"] and not missing:
        return "; ".join(filter(None, [gaps(endpoint["skipped"], []), "incomplete"]))
    return gaps(endpoint["skipped"], missing) or "complete"


def _untold(texts: Sequence[str], told: Sequence[str]) -> list[str]:
    """All of them, or none where they only repeat errors, which stand below with their mends."""
    return list(texts) if any(not any(text.endswith(one) for one in told) for text in texts) else []


def _errors(result: Mapping[str, Json]) -> Iterator[str]:
    """Why something could not be collected, each reason once with its mend."""
    places: dict[tuple[str, str], list[str]] = {}
    for error in result["errors"]:
        units = error["context"].get("units", 1)
        place = error["context"]["endpoint"] + (f" ({units:,} times)" if units > 1 else "")
        places.setdefault((error["message"], error.get("fix", "")), []).append(place)
    for (message, fix), names in places.items():
        yield clean(f"{', '.join(names)}: {message}" + (f"\n  mend: {fix}" if fix else ""))
    log = Path(result["storage"], "logs", "errors.jsonl")
    if places and log.is_file():
        yield f"records of these errors are in {log}"


def _by_jmespath(result: Mapping[str, Json]) -> Iterator[str]:
    """Which columns jmespath.py read that Polars was to read, of how many records unless few, and why, each once."""
    for made in result["tables"]:
        columns: dict[tuple[str, int], list[str]] = {}
        for one in (one for one in made["by_jmespath"] if one["records"] >= WORTH_TELLING):
            columns.setdefault((one["why"], one["records"]), []).append(one["column"] or "any column")
        for (why, records), names in list(columns.items())[:MOST_GAPS]:
            more = f" and {len(names) - MOST_GAPS:,} more" if len(names) > MOST_GAPS else ""
            of = f"{', '.join(names[:MOST_GAPS])}{more} of {count(records, 'record')}"
            yield f"table {made['table']}: jmespath.py read {of}, one by one: {why}"
        if len(columns) > MOST_GAPS:
            more = count(len(columns) - MOST_GAPS, "more reason")
            yield f"table {made['table']}: and for {more}, which --json names"


def _made(made: Mapping[str, Json], told: Sequence[str]) -> str:
    words = ["the version before stays"] if made["kept_previous"] else []
    words += [] if made["complete"] else ["incomplete"]
    words += [f"{made['set_apart']:,} set apart in all"] if made["set_apart"] != made["quarantined"] else []
    words += [f"{made['repeated']:,} came again"] if made["repeated"] else []
    notes = _untold(made["notes"], told)
    more = [f"and {len(notes) - MOST_GAPS:,} more"] if len(notes) > MOST_GAPS else []
    return "; ".join([*words, *map(short, notes[:MOST_GAPS]), *more])


def _broken(result: Mapping[str, Json]) -> Iterator[tuple[str, ...]]:
    """The rules that failed rows or the table, errors first."""
    found = [
        (rule["level"] + (" (tolerated)" if _is_tolerated(rule) else ""), made["table"], rule)
        for made in result["tables"]
        for rule in made["rules"]
        if rule["failed"] or rule.get("waived") or not rule["passed"]
    ]
    for level, name, rule in sorted(found, key=lambda one: one[0] != "error"):
        failed = f"{rule['failed']:,} of {rule['checked']:,}" if rule["failed"] else ""
        rows = ", ".join(filter(None, [failed, f"{rule['waived']:,} waived" if rule.get("waived") else ""]))
        yield level, name, rule["rule"], rows, rule["spec"], rule["says"]


def _is_tolerated(rule: Mapping[str, Json]) -> bool:
    return bool(rule["failed"] and rule["passed"] and rule["level"] == "error")


def _summary(result: Mapping[str, Json]) -> str:
    did = []
    if result["endpoints"]:
        did.append(f"{count(result['records_collected'], 'record')} collected")
    if result["tables"]:
        did += [f"{count(result['records_processed'], 'row')} in tables", f"{result['quarantined']:,} quarantined"]
    if result["reports"]:
        did.append(count(len(result["reports"]), "report"))
    seconds = f"{result['duration_seconds']:,.1f} s"
    return f"{result['status'].replace('_', ' ')} (exit {result['exit_code']}): {', '.join([*did, seconds])}"


def _next(result: Mapping[str, Json], page: str, options: str, has_params: bool) -> Iterator[str]:
    """What to do now."""
    tool, storage = result["tool"], result["storage"]
    if any(made["quarantined"] for made in result["tables"]):
        yield f"rows that broke a rule lie in {storage}/quarantine/{tool}"
        yield f"look at them: {called()} quarantine {tool}{options}"
    if result["status"] == "incomplete":
        again = " --simulate" if result["simulated"] else ""
        same = ", with the same -p" if has_params else ""
        if any(one["missing"] for one in result["endpoints"]):
            yield f"to fetch what is missing{same}: {called()} resume {result['run']}{options}"
        yield f"to collect all of it anew: {called()} run {page}{again}{options}"
    rows = [made["table"] for made in result["tables"] if made["rows"]]
    if rows:
        yield f"look at the data: {called()} show {tool} {rows[-1]}{options}"
    elif result["endpoints"] and not result["tables"]:
        yield f"make the tables: {called()} process {page}{' --simulate' if result['simulated'] else ''}{options}"
