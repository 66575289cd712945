"""`plan`, `lint`, `tools` and `reference`: what pages say, before anything is asked of a vendor."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.options import as_json, only, open_engine, params, places


@click.command()
@click.argument("page", metavar="PAGE|TOOL")
@params
@only
@click.option("--resolved", is_flag=True, help="Print the page in its long form, with where each value is from.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Also say how columns are read: by Polars, or by jmespath.py and why."
)
@places
@as_json
def plan(
    page: str,
    params: Mapping[str, str],
    only: Sequence[str],
    resolved: bool,
    verbose: bool,
    config: Path | None,
    storage: Path | None,
    as_json: bool,
) -> int:
    """Say what a run would do, without doing it.

    \b
    Example:
      engine plan apigee
      engine plan apigee --resolved
    """
    engine = open_engine(config, storage)
    if resolved:
        text = engine.resolved(page)
        click.echo(json.dumps({"resolved": text}, ensure_ascii=False) if as_json else text, nl=as_json)
        return 0
    found = engine.explain(page, params=params, only=only, verbose=verbose)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False, default=str))
    else:
        from engine.cli.planned import show

        show(found)
    return 0


@click.command()
@click.argument("pages", nargs=-1, metavar="[PAGE|TOOL]...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@places
def lint(pages: Sequence[str], form: str, config: Path | None, storage: Path | None) -> int:
    """Say what is wrong with a page.

    Without a PAGE, with all of them. Ends with 2 where there is an error.

    \b
    Example:
      engine lint pipelines/apigee.yaml
      engine lint --format json
    """
    engine = open_engine(config, storage)
    chosen = pages or engine.tools()
    found = [finding for page in chosen for finding in engine.lint(page)]
    errors = sum(finding.level == "error" for finding in found)
    if form == "json":
        click.echo(json.dumps([finding.as_json() for finding in found], indent=1, ensure_ascii=False))
    else:
        from engine.cli.text import clean, count

        for finding in found:
            click.echo(clean(finding.as_text()) + "\n")
        told = [(sum(one.level == level for one in found), level) for level in ("error", "warning", "note")]
        counts = ", ".join(count(number, level) for number, level in told if number or level != "note")
        click.echo(f"{counts} in {count(len(chosen), 'page')}")
    return 2 if errors else 0


@click.command()
@places
@as_json
def tools(config: Path | None, storage: Path | None, as_json: bool) -> int:
    """List the tools that have a page, and how their last runs ended.

    \b
    Example:
      engine tools
    """
    engine = open_engine(config, storage)
    found = engine.overview()
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    from engine.cli.screen import console, table

    heads = ("tool", "title", "endpoints", "tables", "last run", "page")
    rows = [_tool(one) for one in found]
    console().print(table(heads, rows, right=("endpoints", "tables")) if found else f"no pages in {engine.pages}")
    return 0


def _tool(one: Mapping[str, Any]) -> tuple[str, ...]:
    if "mistakes" in one:
        return one["tool"], f"has mistakes, see engine lint {one['tool']}", "", "", "", one["page"]
    last = one["last_run"]
    ended = f"{last['started_at'][:19]}Z {last['status'].replace('_', ' ')}" if last else "never"
    return one["tool"], one["title"], str(one["endpoints"]), str(one["tables"]), ended, one["page"]


@click.command()
@click.argument("word", required=False)
@as_json
def reference(word: str | None, as_json: bool) -> int:
    """Explain a word of the language, or all of it.

    \b
    Example:
      engine reference cursor
    """
    from engine.app import Engine

    text = Engine().reference(word)
    if as_json:
        click.echo(json.dumps({"word": word, "markdown": text}, ensure_ascii=False))
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        click.echo(text)
    return 0


COMMANDS: Sequence[click.Command] = (plan, lint, tools, reference)
