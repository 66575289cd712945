"""What an endpoint is repeated for, and which time it asks for, as an author may write it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from engine.core.errors import Mistake
from engine.core.select import Jmes
from engine.core.settle import ParamTemplate
from engine.core.times import TimeFormat
from engine.core.values import Duration, EndpointName, Spelled, TableName, Text
from engine.core.wire import Place
from engine.spec.fields import Model, TextTemplate

NAMESPACES = ("param", "secret", "run", "window", "answer", "job")
"""The names that templates read besides aliases."""


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


class Gone(Spelled):
    """`keep`, or `forget after 30d`."""

    pattern = r"keep|forget after \d+(\.\d+)?(ms|s|m|h|d)"
    says = "what becomes of a parent that is gone; write keep, or forget after 30d"

    @property
    def after(self) -> Duration | None:
        """How long the state of a parent stays that is no longer listed; None for ever."""
        return None if self == "keep" else Duration(self.removeprefix("forget after "))


class Send(Model):
    """Where the bounds of a window go, and in which form."""

    from_: Place | None = Field(None, alias="from", description="The place of the lower bound.")
    until: Place | None = Field(None, description="The place of the upper bound.")
    format: TimeFormat = Field(TimeFormat("iso"), description="iso, date, epoch_s, epoch_ms, or a pattern: `%m/%d/%Y`.")


class Parents(Model):
    """What happens to the marks of parents that come and go."""

    new: Literal["backfill", "now"] = Field(
        default="backfill",
        description="A parent that comes after the first collection: read from `start` on, or only from now on.",
    )
    gone: Gone = Field(
        default=Gone("keep"),
        description="The mark of one that is no longer listed: keep, or `forget after 30d`; should it come back later, "
        "it is new.",
    )


class Incremental(Model):
    """Ask only for what is new since the last sealed collection.

    Misbehaving: A window that breaks off leaves its unit incomplete and is asked for again, with `order: asc`
    from where it broke off. A record that is dated in the future does not move the mark beyond its window; a time
    that cannot be read leaves the unit incomplete. A new parent is read from `start` on.

    Example:
        incremental: { field: updated_at, start: 30d, send: query.updated_since, overlap: 10m }
    """

    field: Jmes | None = Field(
        None,
        description="The record's time: the next window begins at the greatest value that came, never behind the end "
        "of its window. Without it, and where no value came, at that end.",
    )
    read_format: Annotated[list[TimeFormat], BeforeValidator(_listed)] = Field(
        [TimeFormat("iso")], description="The forms in which the field comes, as text or number, tried in this order."
    )
    send: Annotated[Send | None, BeforeValidator(lambda v: {"from": v} if isinstance(v, str) else v)] = Field(
        None, description="Where the window goes in the request; or use ${window.start} and ${window.end} anywhere."
    )
    start: TextTemplate = Field(
        description="Where the first collection starts: a time, so long ago (`30d`), or `${param.since}`."
    )
    until: Duration = Field(
        Duration("0s"), description="How far behind now a window ends: what the vendor may still show late."
    )
    step: Duration | None = Field(
        None, description="The longest window of one request; a longer time is cut into several, the earliest first."
    )
    overlap: Duration = Field(
        Duration("0s"), description="How far a collection reaches back into what the last one read: for late records."
    )
    bounds: Literal["half_open", "inclusive"] = Field(
        "half_open",
        description="Whether the vendor counts a record at the upper bound itself: with inclusive the bound that is "
        "sent lies one granularity before the next window.",
    )
    granularity: Duration = Field(
        Duration("1s"), description="The smallest step of the vendor's times; bounds are rounded down to it, in UTC."
    )
    order: Literal["asc", "desc", "none"] = Field(
        "none",
        description="The order in which the vendor lists. Where a window breaks off, the mark moves up to what came "
        "with asc only.",
    )
    parents: Parents = Field(
        default_factory=Parents, description="What happens to the marks of parents that come and go."
    )

    @model_validator(mode="after")
    def _moves(self) -> Incremental:
        if not self.granularity.seconds:
            raise Mistake("incremental", "times have a smallest step, and it is longer than 0s", "write 1s")
        if self.step and self.step.seconds < self.granularity.seconds:
            text = f"a step of {self.step} is shorter than the granularity of {self.granularity}"
            raise Mistake("incremental", text, "make the step longer")
        return self


class Parent(Model):
    """What an endpoint is repeated for: records of an endpoint, rows of a table, values, or several of these.

    Misbehaving: A child that fails is named and leaves its brothers alone; a parent that is listed twice is asked
    for once; one in which a field is null or missing that is sent leaves its unit incomplete and is named itself:
    `${api.id if api.id}` sends nothing there.

    Example:
        for_each: { api: { endpoint: apis, where: live } }
    """

    endpoint: EndpointName | None = Field(None, description="The endpoint whose records it is repeated for.")
    table: TableName | None = Field(
        None, description="The table whose rows it is repeated for, as published when the run starts."
    )
    values: list[Text] = Field([], description="The values it is repeated for; `kind: [email, sms]` is short for this.")
    param: ParamTemplate | None = Field(None, description='A param that is a list of them: "${param.projects}".')
    union: list[Parent] = Field([], description="Several of them, one after the other.")
    by: Annotated[list[str], BeforeValidator(_listed)] = Field(
        [],
        description="The fields that make two records the same parent, also from one collection to the next; all "
        "fields that are used unless said.",
    )
    where: Jmes | None = Field(None, description="JMESPath over the parent record that must be true.")
    take: Jmes | None = Field(None, description="What of the record is the parent; the record itself unless said.")
    when_changed: Jmes | None = Field(
        None, description="Ask again only where this value of the parent record moved since the last collection."
    )
    group: int | None = Field(
        None, ge=1, description="So many parents in one request; the alias is then a list: `${ids|join(',')}`."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {"values": value}
        if isinstance(value, str):
            return {"param": value} if "${" in value else {"endpoint": value}
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Parent:
        said = (self.endpoint, self.table, self.values, self.param, self.union)
        if [bool(one) for one in said].count(True) != 1:
            raise Mistake(
                "for-each",
                "a parent is one endpoint, one table, a list of values, a param or a union",
                "write { endpoint: apis }, { table: apis }, [email, sms], ${param.NAME} or { union: [apis, …] }",
            )
        if any(one.union or one.by or one.group for one in self.union):
            raise Mistake("for-each", "a union holds no other union, no by and no group", "write them beside it")
        if self.group and any(one.when_changed for one in self.sources):
            text = "a group has no value of its own that could move"
            raise Mistake("for-each", text, "take group or when_changed out")
        return self

    @property
    def sources(self) -> list[Parent]:
        """What it is made of: itself, or the members of the union, with what is said beside them."""
        beside = {"take": self.take, "when_changed": self.when_changed}
        return [
            one.model_copy(update={word: value for word, value in beside.items() if getattr(one, word) is None})
            for one in self.union
        ] or [self]

    @property
    def endpoints(self) -> list[str]:
        """The endpoints it is made of."""
        return [one.endpoint for one in (self, *self.union) if one.endpoint]
