"""What an answer is and what it means: how it is decoded, and what to do with certain answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from engine.core.decoding import AnswerChain, Chain
from engine.core.errors import Mistake
from engine.core.select import Jmes
from engine.core.values import Duration, Text
from engine.spec.fields import Model, TextTemplate


class Decode(Model):
    """How an answer becomes JSON: always in one way, or in a way that the answer itself tells."""

    chain: AnswerChain = Field(
        default=Chain(),
        description="The way: `gzip+csv`, also `{ csv: { separator: ; } }`, or a list of links; with `by` that of "
        "answers for which `options` has none. JSON unless said.",
    )
    by: Jmes | None = Field(default=None, description='What tells another way: `headers."content-type"`.')
    options: dict[str, AnswerChain] = Field(
        default={},
        description="What `by` finds -> way. Capital letters make no difference, and of a header only what stands "
        "before its first semicolon counts.",
    )

    @property
    def is_json(self) -> bool:
        """Whether answers are JSON as they come."""
        return not self.chain.links and self.by is None

    @property
    def ways(self) -> list[Any]:
        """All ways as a page may write them: what is made of the same bytes hangs on nothing else."""
        return [self.chain.written, {name: way.written for name, way in self.options.items()}]

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return (
            value if isinstance(value, dict) and (not value or set(cls.model_fields) & set(value)) else {"chain": value}
        )

    @model_validator(mode="after")
    def _chooses(self) -> Decode:
        if bool(self.by) != bool(self.options):
            raise Mistake("decode", "by and options belong together", "write decode: gzip+csv where there is one way")
        return self


Status = Annotated[int, Field(ge=100, le=599)]


class When(Model):
    """Which answers a response rule is for; what is given must all hold."""

    status: Status | list[Status] | None = Field(None, description="The status, or several.")
    header: dict[str, Text] = Field({}, description="Headers and their values.")
    body: Jmes | None = Field(None, description="JMESPath over the decoded body that must be true.")


class Retry(Model):
    """Ask again.

    Misbehaving: After the last try the unit is incomplete, with the status and the vendor's own sentence.

    Example:
        responses:
          - when: { status: 409 }
            retry: { times: 5, wait: 10s }
    """

    times: int = Field(5, ge=1, description="At most so many tries in all.")
    wait: Duration | None = Field(
        None, description="So long before each; doubling from half a second to half a minute unless said."
    )


class Wait(Model):
    """Wait until the vendor says that it goes on, then ask again.

    Misbehaving: A time that is missing or cannot be read is waited for as in retry, one in the past not at all,
    one too far away as long as `at_most`; after the last try the unit is incomplete.

    Example:
        responses:
          - when: { status: 403, header: { X-RateLimit-Remaining: "0" } }
            wait: { until: headers."x-ratelimit-reset", as: epoch_s, at_most: 1h }
    """

    until: Jmes = Field(
        description='Where the answer says so: `headers."x-ratelimit-reset"`, `answer.retry_at`. The past means now; '
        "what cannot be read means a wait as of retry."
    )
    as_: Literal["seconds", "ms", "epoch_s", "epoch_ms", "iso", "http_date"] = Field(
        "seconds", alias="as", description="How: seconds or milliseconds from now, or a time."
    )
    at_most: Duration = Field(Duration("1h"), description="Never longer than this at once.")
    times: int = Field(5, ge=1, description="At most so many tries in all.")


class RenewAuth(Model):
    """Sign in anew and ask again, once.

    Misbehaving: A second answer of that kind leaves the unit incomplete, so that no sign-in is asked for ever.

    Example:
        responses:
          - when: { status: 200, body: "error.code == 'session_expired'" }
            renew_auth: {}
    """


class SplitWindow(Model):
    """Ask for the two halves of the window instead.

    Misbehaving: A window as short as `smallest` is not split: its unit is incomplete. What came before is dropped
    and read once more. Every hundred splits of a unit are told while it goes on.

    Example:
        responses:
          - when: { status: 400, body: "contains(message, 'too many')" }
            split_window: { smallest: 1h }
    """

    smallest: Duration = Field(Duration("1m"), description="A window this short is not split: its unit is incomplete.")


class ReducePage(Model):
    """Ask for half as many records a page from here on.

    Misbehaving: Where pages of `smallest` records are still too much the unit is incomplete.

    Example:
        responses:
          - when: { status: 413 }
            reduce_page: { smallest: 10 }
    """

    smallest: int = Field(1, ge=1, description="With so few a page it is not reduced: the unit is incomplete.")


class Skip(Model):
    """Leave out what such an answer stands for, with words: never an empty success.

    Misbehaving: Ten pages that are left out one after the other leave the unit incomplete, unless a total says
    where the list ends. The report counts and names what was left out.

    Example:
        responses:
          - when: { status: 404 }
            skip: { scope: unit, say: it was deleted meanwhile }
    """

    scope: Literal["page", "unit", "endpoint"] = Field("unit", description="How much is left out.")
    say: TextTemplate = Field(description="Why, for the report; may use ${answer.…}.")


class Stop(Model):
    """This answer is the regular end of the list: what came before is all.

    Misbehaving: A declared total is not compared then, so a vendor that answers so too early hides records: name
    what else such an answer has, with header or body.

    Example:
        responses:
          - when: { status: 404, body: "code == 'PAGE_OUT_OF_RANGE'" }
            stop: {}
    """


class Fail(Model):
    """This answer is an error, whatever its status: the unit is incomplete.

    Misbehaving: It is not asked again; what came before it stays kept. For a word of `say` that the answer does not
    have stands `…`.

    Example:
        responses:
          - when: { status: 200, body: "status == 'error'" }
            fail: { say: "${answer.message}" }
    """

    say: TextTemplate = Field(description="What is wrong, for the report; may use ${answer.…}.")


Verb = Retry | Wait | RenewAuth | SplitWindow | ReducePage | Skip | Stop | Fail


def _bare(value: Any) -> Any:
    return {} if value is None or value is True else value


class Response(Model):
    """What to do with certain answers; the first that matches wins, the built-in rules stand behind."""

    when: When = Field(description="Which answers.")
    retry: Annotated[Retry | None, BeforeValidator(_bare)] = Field(None, description="Ask again.")
    wait: Wait | None = Field(None, description="Wait until the vendor says that it goes on, then ask again.")
    renew_auth: Annotated[RenewAuth | None, BeforeValidator(_bare)] = Field(
        None, description="Sign in anew and ask again, once."
    )
    split_window: Annotated[SplitWindow | None, BeforeValidator(_bare)] = Field(
        None, description="Ask for the two halves of the window instead."
    )
    reduce_page: Annotated[ReducePage | None, BeforeValidator(_bare)] = Field(
        None, description="Ask for half as many records a page from here on."
    )
    skip: Skip | None = Field(None, description="Leave this out, and say so.")
    stop: Annotated[Stop | None, BeforeValidator(_bare)] = Field(None, description="This is the end of the list.")
    fail: Fail | None = Field(None, description="This is an error, in these words.")

    @model_validator(mode="after")
    def _one_verb(self) -> Response:
        said = [word for word in VERBS if word in self.model_fields_set]
        if len(said) != 1:
            text = f"a response rule says one thing to do, here are {len(said)}"
            raise Mistake("response", text, f"write one of {', '.join(VERBS)}")
        return self

    @property
    def verb(self) -> Verb:
        """What to do."""
        found: Verb = next(one for word in VERBS if (one := getattr(self, word)) is not None)
        return found


VERBS = ("retry", "wait", "renew_auth", "split_window", "reduce_page", "skip", "stop", "fail")
