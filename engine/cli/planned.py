"""A plan on the screen: what is needed, who is asked for what in which order, what is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from engine.cli.screen import console, table
from engine.cli.text import clean, count

Json = Any
WIDEST = 100
"""Letters of a column: the steps of one job must not make each line as wide as theirs."""


def show(plan: Mapping[str, Json]) -> None:
    """Print a plan (in the form of `--json`)."""
    out = console()
    out.print(clean(f"{plan['title']}  {plan['page']}"), style="bold")
    _needs(out, plan)
    out.print()
    out.print(clean(f"base address {plan['base_url']}"))
    limits = " and ".join(plan["rate_limit"]) or "no rate limit"
    out.print(clean(f"asks {', '.join(plan['hosts'])}"))
    out.print(clean(f"signs in with {plan['auth']}, {limits}, {_requests(plan['concurrency'])} at once"))
    out.print(clean("; ".join(plan["bounds"])))
    out.print()
    base = plan["base_url"]
    rows = [
        (number, one["endpoint"], f"{one['method']} {one['url'].removeprefix(base)}", "; ".join(one["how"]))
        for number, one in enumerate(plan["endpoints"], 1)
    ]
    out.print(table(("", "endpoint", "request", "how"), rows, right=("",), widest=WIDEST))
    _fine_print(out, plan)
    out.print()
    made = [(number, one["table"], _from(one), _stages(one)) for number, one in enumerate(plan["tables"], 1)]
    out.print(table(("", "table", "from", "stages"), made, right=("",)))
    _columns(out, plan)
    if plan["reports"]:
        out.print()
        reports = [(one["report"], one["output"], ", ".join(one["tables"])) for one in plan["reports"]]
        out.print(table(("report", "output", "tables"), reports))


def _fine_print(out: Console, plan: Mapping[str, Json]) -> None:
    """What certain answers mean, and the forms of what is sent: below each endpoint, the rules of all at the end."""
    for one in plan["endpoints"]:
        if one.get("details"):
            out.print(clean(f"\n{one['endpoint']}"), style="bold")
            for sentence in one["details"]:
                out.print(clean(f"  {sentence}"))
    if plan["built_in"]:
        out.print("\nall endpoints, behind their own rules", style="bold")
        for sentence in plan["built_in"]:
            out.print(clean(f"  {sentence}"))


def _columns(out: Console, plan: Mapping[str, Json]) -> None:
    """How columns are read: how many in which way, what is presumed, and what goes to jmespath.py and why."""
    every = [(one["table"], column) for one in plan["tables"] for column in one.get("columns_read", ())]
    if not every:
        return
    out.print("\nhow columns are read", style="bold")
    for name in dict.fromkeys(name for name, _ in every):
        out.print(clean(f"  {name}: {_ways([column for table, column in every if table == name])}"))
    presumed = [(name, one["column"], "; ".join(one["presumes"])) for name, one in every if one["presumes"]]
    if presumed:
        out.print("\npresumed of records; slices that hold something else are looked at, and may go to jmespath.py")
        out.print(table(("table", "column", "presumes"), presumed, widest=WIDEST))
    slow = [(name, one["column"], one["path"], one["why"], one["instead"]) for name, one in every if one["why"]]
    if slow:
        out.print("\nread by jmespath.py, one record at a time, which takes two to ten times as long, parsing included")
        out.print(table(("table", "column", "path", "why", "instead"), slow, widest=WIDEST // 2))


def _ways(columns: Sequence[Json]) -> str:
    """`11 columns by Polars, 2 as bytes of JSON, 1 by jmespath.py`."""
    said = {"Polars": "by Polars", "bytes": "as bytes of JSON", "jmespath.py": "by jmespath.py"}
    counts = {by: sum(one["by"] == by for one in columns) for by in said}
    return ", ".join(f"{count(number, 'column')} {said[by]}" for by, number in counts.items() if number)


def _needs(out: Console, plan: Mapping[str, Json]) -> None:
    rows = [(f"param {one['name']}", *_value(one), one["doc"]) for one in plan["params"]]
    for one in plan["secrets"]:
        missing = "not needed" if not one["needed"] else "not set" if one["optional"] else "missing"
        rows.append((f"secret {one['name']}", "set" if one["set"] else missing, "", one["doc"]))
    if rows:
        out.print()
        out.print(table(("needs", "value", "from", ""), rows))
    for problem in plan["problems"]:
        out.print(clean(f"{problem['message']}\n  mend: {problem['fix']}"), style="yellow")


def _value(param: Mapping[str, Json]) -> tuple[str, str]:
    if param["value"] is None:
        return ("not set" if param["optional"] else "missing"), ""
    value = param["value"]
    return (", ".join(map(str, value)) if isinstance(value, list) else str(value)), param["from"]


def _requests(value: Json) -> str:
    """A number of requests; a template where it is not known yet."""
    return count(value, "request") if isinstance(value, int) else f"{value} requests"


def _from(made: Mapping[str, Json]) -> str:
    source = ", ".join(made["from"]) or f"a query over {', '.join(made['reads'])}"
    return source + (f" ({made['mode']})" if made.get("mode") else "")


def _stages(made: Mapping[str, Json]) -> str:
    nouns = {"validation": "rule", "enrichment": "step", "analytics": "query"}
    words = [f"{stage}: {count(number, nouns[stage])}" for stage, number in made["stages"].items() if number]
    return ", ".join(words)
