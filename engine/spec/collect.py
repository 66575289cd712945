"""The sections `connection` and `endpoints`: how a vendor is reached, and what is asked, as an author may write it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from engine.core.credential import EXPOSED
from engine.core.decoding import FieldChain
from engine.core.errors import Mistake
from engine.core.kinds import Auth, Paginator
from engine.core.select import Jmes
from engine.core.values import Duration, Size
from engine.spec.answers import Decode, Response
from engine.spec.fields import Body, Count, DurationOrTemplate, Limits, Model, Sent, TextTemplate
from engine.spec.filesource import FileSource
from engine.spec.foreach import Incremental, Parent
from engine.spec.job import Job


class Learn(Model):
    """Where answers tell how many requests are left, so that the engine waits before the vendor refuses.

    Misbehaving: A number that is missing or means nothing is passed over; a reset that is too far away is waited
    for one hour at most.

    Example:
        connection: { learn: { remaining: 'headers."x-left"', reset: 'headers."x-reset"' } }
    """

    remaining: Jmes = Field(description='How many are left: `headers."x-ratelimit-remaining"`.')
    reset: Jmes = Field(description='When there are new ones: `headers."x-ratelimit-reset"`.')
    as_: Literal["seconds", "ms", "epoch_s", "epoch_ms", "iso", "http_date"] = Field(
        "seconds", alias="as", description="How: seconds or milliseconds from now, or a time."
    )


class Timeout(Model):
    """How long the steps of one request may take.

    Misbehaving: A connection that does not come, a vendor that stops in the middle of an answer, and one that
    sends a byte a second are cut off and asked again; after the tries the unit is incomplete.

    Example:
        connection: { timeout: { connect: 5s, read: 30s, request: 2m } }
    """

    connect: DurationOrTemplate = Field(default=Duration("10s"), description="Until the connection stands.")
    read: DurationOrTemplate = Field(default=Duration("30s"), description="Between two pieces of an answer.")
    request: DurationOrTemplate = Field(
        default=Duration("30s"), description="The whole answer, from the first byte sent."
    )


def _timeout(value: Any) -> Any:
    return value if isinstance(value, (dict, Timeout)) else {"read": value, "request": value}


Timeouts = Annotated[Timeout, BeforeValidator(_timeout, json_schema_input_type=DurationOrTemplate | Timeout)]


HOST = re.compile(r"(\*(\.[^\s/*@:.]+){2,})|[^\s/*@:]+|[0-9a-fA-F.]*:[0-9a-fA-F.:]*:[0-9a-fA-F.:]*")


def check_host(text: str) -> None:
    """Raise Mistake for what is no host and no `*.` before the last names of one."""
    if not HOST.fullmatch(text):
        fix = "write the host alone, such as files.acme.example, or *.acme.example for all below it"
        raise Mistake("value", f'"{text}" is no host', fix)


def _host(value: Any) -> Any:
    if isinstance(value, str) and "${" not in value:
        check_host(value)
    return value


def _proxy(value: Any) -> Any:
    """An address, or one in a secret; a name and password stand in it only as secrets."""
    if isinstance(value, str):
        start, at, _ = value.rpartition("@")
        written = SECRETS.sub("", start).rpartition("//")[2].strip(":")
        if at and written:
            fix = "write http://${secret.proxy_user}:${secret.proxy_password}@proxy.example:8080"
            raise Mistake(EXPOSED, "credentials stand in an address, where they would be kept and shown", fix)
    return value


SECRETS = re.compile(r"\$\{\s*secret\.[^}]*\}")


class Connection(Model):
    """How the vendor is reached."""

    base_url: TextTemplate = Field(description="The address that endpoint paths are added to.")
    auth: Auth | None = Field(None, description="How requests are signed; none unless said.")
    header: dict[str, TextTemplate] = Field({}, description="Headers of every request.")
    query: dict[str, Sent] = Field({}, description="Query fields of every request.")
    rate_limit: Limits = Field([], description="At most so many requests in a time, for all endpoints together.")
    learn: Learn | Literal["standard", "off"] = Field(
        "standard",
        description="How answers tell what is left of a rate limit: the headers RateLimit, RateLimit-Remaining and "
        "-Reset and their X- forms unless said; off to look at none. Where nothing is left all requests wait for the "
        "reset, at most an hour.",
    )
    concurrency: Count = Field(
        4, description="At most so many requests under way at once; fewer while the vendor pushes back."
    )
    timeout: Timeouts = Field(
        default_factory=Timeout, description="How long one answer may take: `30s`, or connect, read and request."
    )
    deadline: DurationOrTemplate = Field(
        Duration("24h"), description="How long a collection may take; what is not fetched then is missing."
    )
    max_page: Size = Field(Size("100MB"), description="The largest answer that is read, also unpacked.")
    allow_hosts: list[Annotated[TextTemplate, BeforeValidator(_host)]] = Field(
        [],
        description="Hosts that next links, redirects and files may lead to, besides the API's own; `*.acme.example` "
        "for all below one.",
    )
    proxy: Annotated[TextTemplate | None, BeforeValidator(_proxy)] = Field(
        None,
        description="The proxy that all requests go through: http://proxy.example:8080; its name and password come "
        "from secrets. Without it those of the environment are used: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.",
    )
    ca_file: TextTemplate | None = Field(
        None,
        description="A file of certificates (PEM), beside the page, that are trusted besides the system's (or those "
        "that SSL_CERT_FILE and SSL_CERT_DIR name).",
    )


class SkipUnless(Model):
    """Leave the endpoint out, with words, while a param is unset."""

    param: str = Field(description="The param that must be set.")
    say: str = Field(description="What setting it gives, for the report.")


class Redact(Model):
    """One thing that must never be kept."""

    path: str = Field(description="`owner.email`, `credentials[].key`, `**.curl` (at any depth).")
    with_: Literal["drop", "hash"] = Field("drop", alias="with", description="Take it out, or keep its SHA-256.")


class Graphql(Model):
    """A GraphQL query; errors in the answer make the unit incomplete.

    Misbehaving: Errors beside data, with status 200, leave the unit incomplete all the same: a part of what was
    asked is missing.

    Example:
        graphql:
          query: "query ($first: Int) { issues(first: $first) { nodes { id } } }"
          variables: { first: 100 }
        records: data.issues.nodes
    """

    query: str = Field(description="The query, as text; what varies comes in as variables.")
    variables: dict[str, Body] = Field({}, description="Variable -> value; a cursor goes to body.variables.NAME.")


METHODS = ("get", "post", "put", "patch")
BODIES = ("body", "form", "multipart", "graphql")


class Endpoint(Model):
    """One list or object of the vendor."""

    get: TextTemplate | None = Field(None, description="The path, or a whole address, that is asked with GET.")
    post: TextTemplate | None = Field(
        None, description="The path that is asked with POST (a read that needs a body); the base for graphql alone."
    )
    put: TextTemplate | None = Field(None, description="The path that is asked with PUT, where a read needs it.")
    patch: TextTemplate | None = Field(None, description="The path that is asked with PATCH, where a read needs it.")
    file: FileSource | None = Field(None, description="The files it is read from, instead of asking.")
    job: Job | None = Field(None, description="An export that is asked for, polled until it is ready, and fetched.")
    assumed: str | None = Field(
        None, description="Why nobody can be sure of it, such as `the API is not public`; plan, lint and report say so."
    )
    base_url: TextTemplate | None = Field(None, description="Another address than the connection's.")
    skip_unless: SkipUnless | None = Field(None, description="Leave it out while a param is unset.")
    for_each: dict[str, Parent] = Field(
        {},
        description="Repeat it for each record of a parent: alias -> parent; with several, for each combination of "
        "those that stand below the same record.",
    )
    query: dict[str, Sent] = Field(
        {},
        description='Query fields; null leaves one out, a list repeats it, `{ join: ",", values: [a, b] }` joins it.',
    )
    header: dict[str, TextTemplate] = Field({}, description="Headers.")
    body: Body = Field(None, description="The JSON body.")
    form: dict[str, Sent] = Field({}, description="Or: a body of form fields.")
    multipart: dict[str, Sent] = Field({}, description="Or: a body of form fields in parts.")
    graphql: Graphql | None = Field(None, description="Or: a GraphQL query.")
    decode: Decode = Field(default_factory=Decode, description="How answers are decoded; JSON unless said.")
    records: Jmes = Field(Jmes("@"), description="JMESPath to the records in the answer.")
    may_be_absent: bool = Field(False, description="Whether a missing or null records path means no records.")
    may_be_empty: bool = Field(False, description="Whether it may have none where it had some before.")
    paginate: Paginator | None = Field(None, description="How one page leads to the next; one page unless said.")
    incremental: Incremental | None = Field(None, description="Ask only for what is new.")
    conditional: bool = Field(
        False,
        description="Ask with the ETag or Last-Modified of the page kept last time; where the vendor answers 304 that "
        "page is taken again.",
    )
    add: dict[str, TextTemplate] = Field({}, description="Fields put into each record.")
    decode_fields: dict[str, FieldChain] = Field(
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
    timeout: Timeouts | None = Field(None, description="How long one answer may take.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, dict) and "graphql" in value and not {*METHODS} & {*value}:
            return {"post": "", **value}
        return {"get": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_way(self) -> Endpoint:
        ways = [self.path, self.file, self.job]
        if sum(way is not None for way in ways) != 1 or sum(getattr(self, one) is not None for one in METHODS) > 1:
            text = "an endpoint asks with one of get, post, put and patch, reads a file, or is a job"
            raise Mistake("endpoint", text, "write get: /path")
        if sum(bool(getattr(self, one)) for one in BODIES) > 1:
            raise Mistake("endpoint", "a request has one body", f"write one of {', '.join(BODIES)}")
        if self.graphql and self.get is not None:
            raise Mistake("endpoint", "a GraphQL query is sent with POST", "write post instead of get, or leave it out")
        if sum(one.group is not None for one in self.for_each.values()) > 1:
            raise Mistake("for-each", "one request has one group", "take group out of all but one")
        if self.file:
            self._reads_only()
        return self

    @property
    def path(self) -> str | None:
        """What is asked, without the base."""
        return next((one for word in METHODS if (one := getattr(self, word)) is not None), None)

    @property
    def method(self) -> str:
        """The method it is asked with."""
        return next((word.upper() for word in METHODS if getattr(self, word) is not None), "GET")

    @property
    def parents(self) -> tuple[str, ...]:
        """The endpoints that it is repeated for."""
        return tuple(dict.fromkeys(one for parent in self.for_each.values() for one in parent.endpoints))

    def _reads_only(self) -> None:
        """Raise Mistake where a file endpoint has a word that is about asking."""
        unsaid = {name: info.get_default(call_default_factory=True) for name, info in type(self).model_fields.items()}
        asking = [name for name, one in unsaid.items() if name not in OF_FILES and getattr(self, name) != one]
        if asking:
            raise Mistake("endpoint", f"a file is not asked: {asking[0]} has no meaning here", "leave it out")
        if self.records != "@" and self.file and self.file.format not in (None, "json"):
            raise Mistake("endpoint", f"each row of a {self.file.format} file is a record", "leave records out")


OF_FILES = {"file", "records", "decode_fields", "add", "redact", "skip_unless"}
OF_FILES |= {"assumed", "may_be_empty", "may_be_absent"}
"""The words that a file endpoint may have."""
