"""The abstract kinds of parts: what each is asked, and how a word on a page becomes one of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from engine.core import template
from engine.core.errors import Json, Level, Mistake, nearest
from engine.core.values import Percent, Secret
from engine.core.wire import Page, Place, Request

if TYPE_CHECKING:
    import polars as pl

KINDS = ("auth", "paginate", "rules", "steps", "outputs")
Cursor = Json
"""Where a paginator stands, as plain JSON, so that the ledger can keep it."""


class Part(BaseModel):
    """A word of the language: its settings are its fields, what it does are its methods. It does no I/O."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    kind: ClassVar[str]
    word: ClassVar[str] = ""
    """How it is called on a page; the registry says so."""
    short: ClassVar[str | None] = None
    """The field that a bare value stands for: `unique: [id]` is `unique: { columns: [id] }`."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if cls._is_kind() and source is cls:  # its word chooses the class
            return core_schema.with_info_plain_validator_function(cls._choose)
        return handler(source)

    @classmethod
    def _is_kind(cls) -> bool:
        """Whether this is a kind itself, no word of one."""
        return "kind" in cls.__dict__ and Part in cls.__bases__

    @classmethod
    def _choose(cls, value: Any, info: core_schema.ValidationInfo) -> Self:
        """`none` or `{ offset: { … } }` -> the part of that word."""
        if isinstance(value, cls):
            return value
        registry = (info.context or {})["registry"]
        words = registry.words(cls.kind)
        word, settings = (value, {}) if isinstance(value, str) else _one_word(cls.kind, value, words)
        part = registry.part(cls.kind, word)
        if part is None:
            text = f'no {NOUNS[cls.kind]} is called "{word}"{nearest(word, words)}'
            raise Mistake("unknown-word", text, f"there are {', '.join(words)}")
        chosen: Self = part.of(settings, info.context, word)
        return chosen

    @classmethod
    def of(cls, settings: Any, context: dict[str, Any] | None, word: str) -> Self:
        """The part with these settings; errors keep their place below the word."""
        words = {field.alias or name for name, field in cls.model_fields.items()}
        if cls.short and not (isinstance(settings, dict) and (set(settings) <= words or set(settings) & words)):
            settings = {cls.short: settings}
        try:
            return cls.model_validate({} if settings is None else settings, context=context)
        except ValidationError as error:
            raise PydanticCustomError(
                "below", "below {word}", {"word": word, "part": cls, "errors": error.errors()}
            ) from None

    def filled(self, scope: Mapping[str, Any]) -> Self:
        """The part with every template rendered; what names a secret becomes a Secret."""
        return self.model_copy(update={name: fill(getattr(self, name), scope) for name in type(self).model_fields})


NOUNS = {"auth": "auth", "paginate": "paginator", "rules": "rule", "steps": "step", "outputs": "output"}


def _one_word(kind: str, value: Any, words: Sequence[str]) -> tuple[str, Any]:
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value.items()))
    noun = NOUNS[kind]
    raise Mistake("one-word", f"one {noun} belongs here: its word is the key", f"write {{ {words[-1]}: … }}")


def fill(value: Any, scope: Mapping[str, Any]) -> Any:
    """A setting with its templates rendered, through lists, mappings and parts."""
    if isinstance(value, template.Template):
        if secrets := [one for one in template.compile(value).references if one.namespace == "secret"]:
            text = template.render(value, scope, reveal=True)
            return Secret(text, ".".join(secrets[0].path)) if isinstance(text, str) else text
        return template.render(value, scope)
    if isinstance(value, Part):
        return value.filled(scope)
    if isinstance(value, dict):
        return {key: fill(one, scope) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(fill(one, scope) for one in value)
    return value


def reveal(value: Any) -> str:
    """The text of a filled setting, secret or not."""
    return value.reveal() if isinstance(value, Secret) else str(value)


@dataclass(frozen=True)
class Token:
    """What a sign-in gave; `renew_at` is in seconds since the epoch, infinity when it does not expire."""

    value: Secret = field(default_factory=lambda: Secret(""))
    renew_at: float = float("inf")


class Auth(Part):
    """How requests are signed. Renewals are shared by all threads; `flow/fetch` asks for them."""

    kind: ClassVar[str] = "auth"
    renewable: ClassVar[bool] = False
    """Whether a 401 is worth a new sign-in."""

    def renew(self, now: float) -> Generator[Request, Page, Token]:
        """Yield the requests of a sign-in, be sent their pages, return the token; nothing to ask by default."""
        yield from ()
        return Token()

    @abstractmethod
    def sign(self, request: Request, token: Token) -> Request:
        """The request as it is sent."""

    @abstractmethod
    def admit(self, request: Request, now: float) -> bool:
        """The vendor's side: is this request signed as it should be."""

    def grant(self, request: Request, now: float) -> Page | None:
        """The vendor's side of a sign-in: the answer to a token request, None when it is no such request."""
        return None

    def hosts(self) -> Sequence[str]:
        """Addresses other than the API's own that sign-in asks."""
        return ()

    def rehearse(self, url: str) -> Self:
        """The same sign-in with made-up credentials, its token endpoint below this address: for the simulator."""
        return self


@dataclass(frozen=True)
class Served:
    """A page as the simulator would answer it: its records, and values at paths of the answer or headers."""

    rows: Sequence[Json]
    answer: Mapping[str, Json] = field(default_factory=dict)
    """Dotted path in the answer -> value."""
    headers: Mapping[str, str] = field(default_factory=dict)


class PageSize(BaseModel):
    """How many records a page shall have."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    send: Place = Field(description="Where the number goes: query.limit.")
    value: int = Field(ge=2, description="The number; best the largest the vendor allows.")

    def asked(self, request: Request) -> int:
        """The number that a request asks for: the vendor's side."""
        return int(request.get(self.send) or self.value)


class Paginator(Part):
    """How one page leads to the next. Crawling what it serves gives back exactly the rows."""

    kind: ClassVar[str] = "paginate"

    def start(self) -> Cursor:
        """The cursor of the first page."""
        return None

    @abstractmethod
    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request for the page at a cursor."""

    @abstractmethod
    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The cursor behind this page; None when it was the last. A first cursor is never None's equal: see `start`."""

    def past(self, cursor: Cursor, total: int | None) -> Cursor | None:
        """The cursor behind a page that cannot be had; None when only that page could tell, or when it was the last.

        `total` is what earlier pages declared.
        """
        return None

    def declared(self, page: Page) -> int | None:
        """How many records the vendor says there are, where it says so."""
        return None

    def repeated(self, cursor: Cursor, page: Page) -> int:
        """How many rows at the head of the page were already seen at the end of the page before."""
        return 0

    @abstractmethod
    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The vendor's side: the page that answers a request, out of all rows."""


@dataclass(frozen=True)
class Check:
    """One thing that must hold for each row; `fails` is true (never null) where it does not."""

    name: str
    fails: pl.Expr
    says: str
    """What is wrong, for a person: `score is above 10`."""
    column: str | None = None
    """Whose value is shown with a failing row."""
    hides: bool = False
    """Whether a failing row must not be shown at all."""


@dataclass(frozen=True)
class Reference:
    """A column whose values must be found in a column of another table."""

    column: str
    table: str
    to: str


@dataclass(frozen=True)
class View:
    """What a rule or step may know of its table: columns with types, typed constants for SQL, the run's start."""

    columns: Mapping[str, pl.DataType]
    constants: Mapping[str, object]
    started_at: datetime
    fields: Sequence[str] = ()
    """What its records hold, or its columns where the page leaves the records' other fields out."""
    fields_before: Sequence[str] | None = None
    """The same of the version before this one; None where there is none."""


class Rule(Part):
    """What must hold for rows or for a table. Each rule answers one of the questions below; the flow does the work."""

    kind: ClassVar[str] = "rules"
    level: Level = Field("error", description="error: the row goes to quarantine; warning: it stays and is counted.")
    tolerance: Percent = Field(
        Percent("0%"), description="The share of rows that may fail before an error-level rule fails the run."
    )

    def checks(self, view: View) -> Sequence[Check]:
        """What each row must meet."""
        return ()

    def unique(self) -> Sequence[str]:
        """The columns that no two rows may share."""
        return ()

    def refers(self) -> Reference | None:
        """The other table in which a value must be found."""
        return None

    def record_check(self, read: Callable[[str], bytes]) -> Callable[[Json], str | None] | None:
        """A check of the whole decoded record; gives what is wrong, or None. `read` gives a file beside the page."""
        return None

    def totals(self) -> Mapping[str, pl.Expr]:
        """Aggregates over the whole table, each of which can be summed or maximised over parts: `sum_…`, `max_…`."""
        return {}

    def verdict(self, totals: Mapping[str, Any], view: View) -> str | None:
        """What is wrong with the table as a whole, or None."""
        return None

    def finished(self, columns: Mapping[str, pl.DataType]) -> str | None:
        """What is wrong with the columns of the table after enrichment, or None."""
        return None

    def hides(self, text: pl.Expr) -> pl.Expr | None:
        """Where the text of a record, or of a value in it, must not be shown; None when it always may."""
        return None

    def uses(self) -> Sequence[str]:
        """The columns it names, for lint."""
        return ()


@dataclass(frozen=True)
class Area:
    """The part of a sheet that is read."""

    header_row: tuple[int, ...] = ()
    """The rows of the column names, counted from 1; the first of the range unless said."""
    range: str | None = None
    """`B3:F200`, header included."""


@dataclass(frozen=True)
class Lookup:
    """A table in a file beside the page: csv, parquet or sheets of a workbook."""

    file: str
    sheet: str | None = None
    """The name of a sheet, or a pattern."""
    area: Area = Area()


@dataclass(frozen=True)
class Given:
    """What a step may use besides its rows."""

    view: View
    table: Callable[[str], pl.LazyFrame]
    """The rows of another table of the page, after its own enrichment."""
    lookup: Callable[[Lookup], pl.DataFrame]
    """The rows of a file, all columns as text unless the file is typed."""
    kept: dict[object, pl.LazyFrame] = field(default_factory=dict)
    """What a step made of another table or file, for the next part of the same table's rows."""


class Step(Part):
    """What is added to or changed on a table's rows. It keeps the rows' order; `lazy` in, lazy out."""

    kind: ClassVar[str] = "steps"

    @abstractmethod
    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows after the step. Raises Mistake when the page asks for what is not there."""

    def table(self) -> str | None:
        """The other table it reads."""
        return None

    def lookup(self) -> Lookup | None:
        """The file it reads."""
        return None


@dataclass(frozen=True)
class About:
    """What an output may say of the run it belongs to."""

    tool: str
    title: str
    run: str
    started_at: datetime
    simulated: bool
    notes: Sequence[str] = ()
    """What the reader must know: skipped endpoints, incomplete tables, rules that failed."""
    docs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Table -> column -> its `doc` on the page."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """Table -> its `doc` on the page: what one row is."""
    types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Table -> column -> its declared type; a `json` column is a text that holds JSON."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Table -> a relative link from the report to the table's full file."""


class Output(Part):
    """A report: one or several tables written to one place."""

    kind: ClassVar[str] = "outputs"
    suffix: ClassVar[str]
    """The ending of its file, with the dot."""

    @abstractmethod
    def tables(self) -> Sequence[str]:
        """The tables it needs."""

    @abstractmethod
    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write these tables to this file, in the order of their rows.

        The same tables give the same bytes. Raises Mistake when the page asks for what is not there.
        """
