"""Tables and charts as one page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from engine.core.errors import Mistake
from engine.core.kinds import About, Output
from engine.core.values import TableName
from engine.parts.outputs._html.settings import Chart

if TYPE_CHECKING:
    import polars as pl


class Html(Output):
    """One self-contained html page: numbers, charts and tables that can be sorted and filtered.

    It opens without a network and asks for nothing. Whatever the vendor wrote is shown as text: it becomes neither
    markup nor a link. A long table shows its first rows, says so, and links to the full file.

    Example:
        reports:
          posture:
            html:
              title: Acme posture
              tables: [risk_by_team, findings]
              charts:
                - number: { table: findings, label: Findings }
                - bar: { table: risk_by_team, x: team, y: findings }
                - line: { table: findings, x: updated_at, by: severity, title: Findings by day }
                - donut: { table: findings, x: severity }
    """

    suffix: ClassVar[str] = ".html"
    title: str = Field("", description="The title of the page; the title of the tool unless said.")
    tables_: list[TableName] = Field([], alias="tables", description="The tables that are shown, in this order.")
    charts: list[Chart] = Field([], description="The charts above the tables, in this order.")
    rows: int = Field(1000, ge=1, le=100_000, description="How many rows of a table are shown at most.")

    @model_validator(mode="after")
    def _shows_something(self) -> Html:
        if not self.tables_ and not self.charts:
            raise Mistake("html", "a page with neither tables nor charts is empty", "write tables: [TABLE, …]")
        return self

    def tables(self) -> Sequence[str]:
        """The tables that are shown, then those that are only drawn."""
        return list(dict.fromkeys([*self.tables_, *(chart.chosen.table for chart in self.charts)]))

    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write the page; what it shows of a table is small, so it is made in one piece."""
        from engine.parts.outputs._html.chart import draw
        from engine.parts.outputs._html.page import page
        from engine.parts.outputs._html.table import show

        title = self.title or about.title or about.tool
        chosen = [chart.chosen for chart in self.charts]
        charts = [draw(chart, tables[chart.table], f"chart-{place}") for place, chart in enumerate(chosen)]
        shown = [show(name, tables[name], about, self.rows) for name in self.tables_]
        place.write_text(page(title, charts, shown, about), encoding="utf-8", newline="\n")
