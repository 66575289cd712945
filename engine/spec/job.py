"""Exports that a vendor makes first: create, poll, locate, fetch, as an author may write it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from engine.core.errors import Mistake
from engine.core.select import Jmes
from engine.core.values import Duration
from engine.spec.answers import Decode
from engine.spec.fields import Body, Limits, Model, Sent, TextTemplate


class Ask(Model):
    """One request of a job."""

    get: TextTemplate | None = Field(None, description="The path, or a whole address, that is asked with GET.")
    post: TextTemplate | None = Field(None, description="The path that is asked with POST.")
    put: TextTemplate | None = Field(None, description="The path that is asked with PUT.")
    query: dict[str, Sent] = Field({}, description="Query fields.")
    header: dict[str, TextTemplate] = Field({}, description="Headers.")
    body: Body = Field(None, description="The JSON body.")
    rate_limit: Limits = Field([], description="A limit of its own, besides the connection's and the endpoint's.")

    @property
    def way(self) -> tuple[str, str | None]:
        """Method and path; no path where it is not asked itself."""
        found = ((word.upper(), getattr(self, word)) for word in ("get", "post", "put"))
        return next(((method, path) for method, path in found if path is not None), ("GET", None))

    def _ways(self) -> int:
        return sum(one is not None for one in (self.get, self.post, self.put))


class Create(Ask):
    """Asks for the export."""

    read: Jmes | None = Field(
        None,
        description="What of the answer names the job: a value becomes ${job.id}, an object gives ${job.FIELD} for "
        "each of its fields.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Create:
        if self._ways() != 1:
            raise Mistake("job", "a job is created with get, post or put", "write post: /exports")
        return self


class Poll(Ask):
    """Asks how far the export is."""

    done: Jmes = Field(description="JMESPath over the page that is true when it is ready: `answer.state == 'DONE'`.")
    failed: Jmes | None = Field(
        None, description="JMESPath that is true when it failed or was cancelled; the unit is then incomplete."
    )
    empty: Jmes | None = Field(
        None, description="JMESPath that is true when there is nothing to fetch: no records, and no fault."
    )
    read: Jmes | None = Field(
        None,
        description="What of the last answer the requests behind it need: a value becomes ${job.result}, an object "
        "gives ${job.FIELD} for each of its fields.",
    )
    every: Duration = Field(Duration("10s"), description="How often it is asked.")
    deadline: Duration = Field(Duration("30m"), description="After so long the unit is given up.")

    @model_validator(mode="after")
    def _one_way(self) -> Poll:
        if self.every.seconds <= 0:
            raise Mistake("job", "it would be asked without a pause", "write every: 10s")
        if self._ways() != 1:
            raise Mistake("job", "a job is polled with get, post or put", 'write get: "/exports/${job.id}"')
        return self


class Locate(Ask):
    """Asks where the files are, when the export is ready."""

    @model_validator(mode="after")
    def _one_way(self) -> Locate:
        if self._ways() != 1:
            raise Mistake("job", "files are located with get, post or put", 'write get: "/documents/${job.result}"')
        return self


class Fetch(Ask):
    """Gets the export's files: those that the answer before names, or one address."""

    urls: Jmes | None = Field(
        None, description="JMESPath over the page before (of locate, else poll, else create) to one address or several."
    )
    auth: Literal["none", "connection"] = Field(
        "connection",
        description="Whether requests for the files are signed; those on another origin than the page that names them "
        "never are.",
    )
    decode: Decode | None = Field(
        None,
        description="How the files are decoded: `gzip+csv`; JSON unless said. With `by` the page that names the files "
        "tells the way, or else the file itself.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"urls": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Fetch:
        if self._ways() + (self.urls is not None) != 1:
            raise Mistake(
                "job", "files are named by urls, or asked with get, post or put", "write urls: answer.files[].url"
            )
        return self


class Job(Model):
    """An export: it is asked for, polled until it is ready, and its files are fetched.

    Misbehaving: One that failed, was cancelled, or is not ready at its deadline leaves its unit incomplete, in
    the vendor's own words where it has some; so do files that are not there. Files on another host need
    allow_hosts, and no credential goes there where `auth: none` is said or the host is another.

    Example:
        job:
          create: { post: /exports, body: { format: csv }, read: answer.id }
          poll: { get: "/exports/${job.id}", done: "answer.state == 'DONE'", failed: "answer.state == 'ERROR'" }
          fetch: { urls: "answer.files[].url", auth: none, decode: gzip+csv }
    """

    create: Create | None = Field(None, description="The request that starts it; none where the vendor makes it.")
    poll: Poll | None = Field(None, description="The request that tells how far it is; none where it is ready at once.")
    locate: Locate | None = Field(None, description="The request that tells where the files are, where poll does not.")
    fetch: Fetch = Field(description="Where its files are.")

    @property
    def steps(self) -> dict[str, Ask]:
        """Its requests, in order."""
        found = {"create": self.create, "poll": self.poll, "locate": self.locate, "fetch": self.fetch}
        return {word: ask for word, ask in found.items() if ask}

    @model_validator(mode="after")
    def _begins(self) -> Job:
        if not self.create and not self.poll:
            raise Mistake("job", "a job begins with create or with poll", "write create: { post: /exports }")
        return self
