"""The page as typed, frozen values: what an author may write, and the sentence that explains each word."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from engine.core.encoded import Chain
from engine.core.errors import Mistake
from engine.core.kinds import Auth, Output, Paginator, Rule, Step
from engine.core.select import Jmes
from engine.core.sql import Query, Sql, tables_of
from engine.core.values import ColumnName, Duration, EndpointName, Size, TableName, Text
from engine.core.wire import Place
from engine.spec.fields import Body, Count, DurationOrTemplate, Model, RateOrTemplate, Sent, TextTemplate
from engine.spec.fields import ColumnType as ColumnType
from engine.spec.fields import ParamType as ParamType
from engine.spec.filesource import FileSource as FileSource
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

    @model_validator(mode="after")
    def _has_a_source(self) -> SecretSource:
        if not self.env and not self.file:
            raise Mistake("secret", "a secret needs a source", "write env: NAME or file: PATH")
        return self


class Limit(Model):
    """A rate limit with its burst."""

    rate: RateOrTemplate = Field(description="Requests in a time: `10/s`.")
    burst: int = Field(1, ge=1, description="How many may go at once after a pause.")


def _limits(value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    return [one if isinstance(one, dict) else {"rate": one} for one in values]


Limits = Annotated[list[Limit], BeforeValidator(_limits)]


class Connection(Model):
    """How the vendor is reached."""

    base_url: TextTemplate = Field(description="The address that endpoint paths are added to.")
    auth: Auth | None = Field(None, description="How requests are signed; none unless said.")
    header: dict[str, TextTemplate] = Field({}, description="Headers of every request.")
    query: dict[str, Sent] = Field({}, description="Query fields of every request.")
    rate_limit: Limits = Field([], description="At most so many requests in a time, for all endpoints together.")
    concurrency: Count = Field(4, description="How many requests may be under way at once.")
    timeout: DurationOrTemplate = Field(Duration("30s"), description="How long one answer may take.")
    max_page: Size = Field(Size("100MB"), description="The largest answer that is read.")
    allow_hosts: list[TextTemplate] = Field(
        [], description="Hosts that next links and redirects may lead to, besides the API's own."
    )


class When(Model):
    """Which answers a response rule is for; what is given must all hold."""

    status: int | list[int] | None = Field(None, description="The status, or several.")
    header: dict[str, Text] = Field({}, description="Headers and their values.")
    body: Jmes | None = Field(None, description="JMESPath over the decoded body that must be true.")


class Skip(Model):
    """Leave out what such an answer stands for, with words: never an empty success."""

    scope: Literal["page", "unit", "endpoint"] = Field("unit", description="How much is left out.")
    say: TextTemplate = Field(description="Why, for the report; may use ${answer.…}.")


class Response(Model):
    """What to do with certain answers; the first that matches wins, the built-in rules stand behind."""

    when: When = Field(description="Which answers.")
    skip: Skip = Field(description="Leave this out, and say so.")


class Send(Model):
    """Where the bounds of a window go."""

    from_: Place | None = Field(None, alias="from", description="The place of the lower bound.")
    until: Place | None = Field(None, description="The place of the upper bound.")


class Incremental(Model):
    """Ask only for what is new since the last sealed collection."""

    field: Jmes | None = Field(
        None, description="The record's time; its greatest value is the next start. Without it: the window's end."
    )
    send: Annotated[Send | None, BeforeValidator(lambda v: {"from": v} if isinstance(v, str) else v)] = Field(
        None, description="Where the window goes in the request; or use ${window.start} anywhere."
    )
    start: Text = Field(description="Where the first collection starts: a time, or so long ago (`30d`).")
    overlap: Duration = Field(Duration("0s"), description="How far each window reaches back into the last.")
    order: Literal["asc", "desc", "none"] = Field("none", description="The order in which the vendor lists.")


class Parent(Model):
    """What an endpoint is repeated for: the records of one endpoint, or of several together."""

    endpoint: EndpointName | None = Field(None, description="The endpoint whose records it is repeated for.")
    union: list[Parent] = Field([], description="Several of them, one after the other.")
    by: Annotated[list[str], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        [], description="With union: the fields that make two records the same parent."
    )
    where: Jmes | None = Field(None, description="JMESPath over the parent record that must be true.")
    take: Jmes | None = Field(None, description="What of the record is the parent; the record itself unless said.")
    when_changed: Jmes | None = Field(
        None, description="Ask again only where this value of the parent record moved since the last collection."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"endpoint": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Parent:
        if bool(self.endpoint) == bool(self.union):
            raise Mistake(
                "for-each",
                "a parent is one endpoint or a union",
                "write { endpoint: apis } or { union: [apis, …], by: id }",
            )
        if any(one.union for one in self.union):
            raise Mistake("for-each", "a union holds endpoints, no other union", "write them all in one list")
        return self


class SkipUnless(Model):
    """Leave the endpoint out, with words, while a param is unset."""

    param: str = Field(description="The param that must be set.")
    say: str = Field(description="What setting it gives, for the report.")


class Endpoint(Model):
    """One list or object of the vendor."""

    get: TextTemplate | None = Field(None, description="The path, or a whole address, that is asked with GET.")
    post: TextTemplate | None = Field(None, description="The path that is asked with POST (a read that needs a body).")
    file: FileSource | None = Field(None, description="The files it is read from, instead of asking.")
    assumed: str | None = Field(
        None, description="Why nobody can be sure of it, such as `the API is not public`; plan, lint and report say so."
    )
    base_url: TextTemplate | None = Field(None, description="Another address than the connection's.")
    skip_unless: SkipUnless | None = Field(None, description="Leave it out while a param is unset.")
    for_each: dict[str, Parent] = Field({}, description="Repeat it for each record of a parent: alias -> parent.")
    query: dict[str, Sent] = Field({}, description="Query fields; null leaves one out, a list repeats it.")
    header: dict[str, TextTemplate] = Field({}, description="Headers.")
    body: Body = Field(None, description="The JSON body of a POST.")
    records: Jmes = Field(Jmes("@"), description="JMESPath to the records in the answer.")
    may_be_absent: bool = Field(False, description="Whether a missing or null records path means no records.")
    may_be_empty: bool = Field(False, description="Whether it may have none where it had some before.")
    paginate: Paginator | None = Field(None, description="How one page leads to the next; one page unless said.")
    incremental: Incremental | None = Field(None, description="Ask only for what is new.")
    add: dict[str, TextTemplate] = Field({}, description="Fields put into each record.")
    decode_fields: dict[str, Chain] = Field(
        {},
        description="Fields of each record that hold encoded text -> how: `{ data: base64+json }`, also "
        "`attachments[].body`. They are decoded before anything else looks at the record, and kept decoded; one that "
        "does not decode leaves its unit incomplete.",
    )
    redact: list[Annotated[Redact, BeforeValidator(lambda v: {"path": v} if isinstance(v, str) else v)]] = Field(
        [], description="What is taken out of each record before anything is kept."
    )
    responses: list[Response] = Field([], description="What to do with certain answers.")
    rate_limit: Limits = Field([], description="A limit of its own, besides the connection's.")
    timeout: DurationOrTemplate | None = Field(None, description="How long one answer may take.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"get": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_method(self) -> Endpoint:
        if [self.get, self.post, self.file].count(None) != 2:
            raise Mistake("endpoint", "an endpoint asks with get or with post, or reads a file", "write get: /path")
        if self.file:
            self._reads_only()
        if len(self.for_each) > 1:
            raise Mistake("for-each", "for_each takes one alias", "nest: repeat it for the child of the first")
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """The endpoints that it is repeated for."""
        every = [one.endpoint for parent in self.for_each.values() for one in (parent, *parent.union)]
        return tuple(dict.fromkeys(one for one in every if one))

    def _reads_only(self) -> None:
        """Raise Mistake where a file endpoint has a word that is about asking."""
        words = {name: info for name, info in type(self).model_fields.items() if name not in OF_FILES}
        asking = [name for name, info in words.items() if getattr(self, name) != info.default]
        if asking:
            raise Mistake("endpoint", f"a file is not asked: {asking[0]} has no meaning here", "leave it out")
        if self.records != "@" and self.file and self.file.format not in (None, "json"):
            raise Mistake("endpoint", f"each row of a {self.file.format} file is a record", "leave records out")


OF_FILES = {"file", "records", "decode_fields", "add", "redact", "skip_unless"}
OF_FILES |= {"assumed", "may_be_empty", "may_be_absent"}
"""The words that a file endpoint may have."""


class Redact(Model):
    """One thing that must never be kept."""

    path: str = Field(description="`owner.email`, `credentials[].key`, `**.curl` (at any depth).")
    with_: Literal["drop", "hash"] = Field("drop", alias="with", description="Take it out, or keep its SHA-256.")


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
    doc: str = Field("", description="What it means, in the vendor's words.")
    values: list[Text] = Field([], description="The values it has, for the simulator and the docs.")
    example: Any = Field(None, description="A value, for the simulator and the docs.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, dict) and "sql" in value:
            if "path" in value:
                raise Mistake("column", "a column is read or worked out", "write path: or sql:, not both")
            return {**value, "path": NOTHING}
        return {"path": value} if isinstance(value, str) else value


class Deduplicate(Model):
    """Keep one row for each key, before validation."""

    keep: Literal["first", "last"] = Field("last", description="Which of them stays.")
    order_by: ColumnName | None = Field(None, description="Ordered by this column; by arrival unless said.")


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
        [], description="The columns that name a row; rows are sorted by them."
    )
    mode: Literal["replace", "upsert", "append"] | None = Field(
        None,
        description="replace for full reads, upsert with incremental or when_changed, unless said. append without a "
        "key adds equal records once more: those of an overlap, those fetched again after an incomplete collection.",
    )
    delete_when: Sql | None = Field(None, description="With upsert: rows for which this holds are taken out.")
    rows: Annotated[list[Each] | Zipped | None, BeforeValidator(lambda v: v)] = Field(
        None, description="One row for each element deep inside a record."
    )
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


Endpoint.model_rebuild()
