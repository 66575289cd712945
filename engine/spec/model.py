"""The page as typed, frozen values: what an author may write, and the sentence that explains each word."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from engine.core.credential import EXPOSED
from engine.core.errors import Mistake
from engine.core.kinds import Output, Rule, Step
from engine.core.select import Jmes
from engine.core.sql import Query, Sql, tables_of
from engine.core.times import TimeFormat
from engine.core.values import ColumnName, EndpointName, TableName, Text
from engine.spec.collect import Connection, Endpoint
from engine.spec.fields import ColumnType as ColumnType
from engine.spec.fields import Model
from engine.spec.fields import ParamType as ParamType
from engine.spec.schedule import Schedule


class Param(Model):
    """A value that the person who runs the page may set."""

    doc: str = Field("", description="What it is for.")
    type: ParamType = Field("string", description="How its text is read.")
    env: str | None = Field(None, description="The environment variable it may come from.")
    default: Any = Field(None, description="Its value when nobody sets it; may name other params.")
    example: Any = Field(None, description="A value for the simulator and the docs.")
    optional: bool = Field(False, description="Whether it may stay unset (null).")
    split: str = Field(",", description="For a list: what stands between its values.")


class SecretSource(Model):
    """Where a secret comes from; it is a name until the moment of the request."""

    doc: str = Field("", description="What it is, and what it must be allowed to do.")
    env: str | None = Field(None, description="The environment variable that holds it.")
    file: str | None = Field(None, description="A file that holds it.")
    or_path: bool = Field(False, description="Whether its value may also be the path of a file that holds it.")
    optional: bool = Field(False, description="Whether the page also works without it.")

    @model_validator(mode="before")
    @classmethod
    def _is_no_value(cls, value: Any) -> Any:
        if isinstance(value, (str, int, float)):
            fix = "take it out here, write { env: NAME } or { file: PATH }, and set it there"
            raise Mistake(EXPOSED, "a secret stands on the page, where it would be kept and shown", fix)
        return value

    @model_validator(mode="after")
    def _has_a_source(self) -> SecretSource:
        if not self.env and not self.file:
            raise Mistake("secret", "a secret needs a source", "write env: NAME or file: PATH")
        return self


RAW = "_raw"
"""The column, and in SQL the name, of the record as JSON."""
NOTHING = "`null`"
"""The path of a column that nothing is read for."""


class Column(Model):
    """One column of a table: read from the record, or worked out of other columns."""

    path: Jmes = Field(
        description="JMESPath to its value in the record; `index[pointer]` gives the element of the list `index` whose "
        "number is the record's field `pointer`, null where there is none."
    )
    sql: Sql | None = Field(
        None,
        description="Or: SQL over the other columns, worked out before validation; those with sql see the ones above "
        "them. `_raw` is the record as JSON, as kept and with what `add` put into it: `sha256(_raw)`.",
    )
    type: ColumnType | None = Field(None, description="Its type; unless said, seen in the first records and pinned.")
    unit: Literal["s", "ms", "us", "ns"] | None = Field(
        None, description="For times that arrive as epoch numbers, also as text."
    )
    format: Annotated[list[TimeFormat], BeforeValidator(lambda v: v if isinstance(v, list) else [v])] = Field(
        [],
        description="For times and dates that arrive in another form than RFC 3339: a pattern, `%m/%d/%Y`, or several "
        "that are tried in this order. Without an offset a time is UTC.",
    )
    doc: str = Field("", description="What it means, in the vendor's words.")
    values: list[Text] = Field([], description="The values it has, for the simulator and the docs.")
    example: Any = Field(None, description="A value, for the simulator and the docs.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, dict) and "sql" in value:
            if value.get("path", NOTHING) != NOTHING:
                raise Mistake("column", "a column is read or worked out", "write path: or sql:, not both")
            return {**value, "path": NOTHING}
        return {"path": value} if isinstance(value, str) else value


class Deduplicate(Model):
    """Keep one row for each key, before validation."""

    keep: Literal["first", "last"] = Field("last", description="Which of them stays.")
    order_by: ColumnName | None = Field(
        None,
        description="Ordered by this column; by arrival unless said. With upsert, a column that reads the `field` of "
        "incremental orders from collection to collection too: an older row that comes late changes nothing.",
    )


class Each(Model):
    """Go down into a list or a map of each record."""

    each: Jmes = Field(description="JMESPath to the list or map.")
    key_as: str | None = Field(None, description="For a map: the field that takes its key.")


class Zip(Model):
    """Put column names and rows of values together."""

    names: Jmes = Field(description="JMESPath to the list of names.")
    values: Jmes = Field(description="JMESPath to the rows: lists of values in the order of the names.")


class Zipped(Model):
    """Rows that arrive as lists of values beside a list of names."""

    zip: Zip = Field(description="Where names and values are.")


class Table(Model):
    """What records mean: columns with types, what must hold, what is added. Or a query over other tables."""

    from_: Annotated[list[EndpointName], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        [], alias="from", description="The endpoint it is made of, or several."
    )
    sql: Query | None = Field(None, description="Or: one SELECT over other tables.")
    doc: str = Field("", description="What one row is.")
    key: Annotated[list[ColumnName], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        [],
        description="The columns that name a row; rows are sorted by them. A row that comes again, equal in all "
        "columns, counts once, and the run says how many did.",
    )
    mode: Literal["replace", "upsert", "append"] | None = Field(
        None,
        description="replace for full reads, upsert with incremental or when_changed, unless said. append without a "
        "key adds equal records once more: those of an overlap, those fetched again after an incomplete collection.",
    )
    delete_when: Sql | None = Field(
        None, description="With upsert: rows for which this holds are taken out; no rule looks at them."
    )
    rows: list[Each] | Zipped | None = Field(None, description="One row for each element deep inside a record.")
    where: Sql | None = Field(None, description="Which rows are wanted; the others are left out without a word.")
    null_values: list[Text] = Field([], description="Texts that mean null.")
    columns: dict[str, Column] = Field({}, description="Column -> path, or path with type and meaning.")
    other_columns: Literal["drop", "keep", "raw"] = Field(
        "drop",
        description="What becomes of the record's other top-level fields: drop; keep, each as a column of its own "
        "name, its type pinned as seen first; raw, the whole record in one json column `_raw`.",
    )
    deduplicate: Deduplicate | None = Field(None, description="Keep one row for each key, before validation.")
    validate_: list[Rule] = Field([], alias="validate", description="What must hold.")
    enrich: list[Step] = Field([], description="What is added, step by step.")

    @model_validator(mode="after")
    def _one_source(self) -> Table:
        if bool(self.from_) == bool(self.sql):
            raise Mistake("table", "a table is made from endpoints or by sql", "write from: ENDPOINT, or sql: SELECT …")
        words = ("columns", "rows", "where", "mode", "deduplicate", "other_columns")
        defaults = {name: type(self).model_fields[name].default for name in words}
        if self.sql and any(getattr(self, name) != defaults[name] for name in words):
            raise Mistake("table", f"a query has no {', '.join(words[:-1])} or {words[-1]}", "say it in its SELECT")
        if RAW in self.columns:
            raise Mistake("table", f"{RAW} is the record itself", "give it another name, or write other_columns: raw")
        if self.deduplicate and not self.key:
            raise Mistake("table", "deduplicate needs a key", "write key: COLUMN")
        if self.mode == "upsert" and not self.key:
            raise Mistake("table", "upsert needs a key", "write key: COLUMN")
        return self


class Pipeline(Model):
    """One vendor, whole: how to reach it, what to collect, what the records mean, what comes out."""

    version: Literal[1] = Field(description="The version of the language.")
    tool: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = Field(
        description="Its name on the command line and in the storage."
    )
    title: str = Field("", description="Its name for people.")
    docs: str = Field("", description="Where the vendor documents its API.")
    params: dict[str, Param] = Field({}, description="Values that whoever runs the page may set.")
    secrets: dict[str, SecretSource] = Field({}, description="Credentials, by name.")
    connection: Connection = Field(description="How the vendor is reached.")
    endpoints: dict[Annotated[str, AfterValidator(EndpointName.read)], Endpoint] = Field(
        description="What is collected."
    )
    tables: dict[Annotated[str, AfterValidator(TableName.read)], Table] = Field(
        {}, description="What the records mean."
    )
    reports: dict[str, Output] = Field({}, description="What comes out.")
    schedules: dict[str, Schedule] = Field({}, description="When it runs by itself.")

    def table_of(self, endpoint: str) -> list[str]:
        """The tables made from an endpoint."""
        return [name for name, table in self.tables.items() if endpoint in table.from_]

    def gives_a_part(self, endpoint: str) -> bool:
        """Whether an endpoint is asked for what is new only: by itself, or because one above it is."""
        seen, above = set[str](), [endpoint]
        while above:
            name = above.pop()
            if name in seen or name not in self.endpoints:
                continue
            seen.add(name)
            sources = [one for parent in self.endpoints[name].for_each.values() for one in (parent, *parent.union)]
            if self.endpoints[name].incremental or any(one.when_changed for one in sources):
                return True
            above += self.endpoints[name].parents
        return False

    def needs(self, table: str) -> set[str]:
        """The tables that a table reads: by a query, a join, or a reference to another than itself. Raises Mistake."""
        said = self.tables[table]
        needs = {one.name for one in tables_of(said.sql)} if said.sql else set()
        needs |= {other for step in said.enrich if (other := step.table())}
        return needs | ({reference.table for rule in said.validate_ if (reference := rule.refers())} - {table})
