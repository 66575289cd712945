"""Lints of response rules and of what answers are asked for: rules that never match, match too much, or cannot work."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.errors import Mistake
from engine.spec.answers import Response, SplitWindow, When
from engine.spec.collect import Endpoint
from engine.spec.lint.look import Found, Look, options
from engine.spec.read import Loc


def unreachable_responses(look: Look) -> Iterator[Found]:
    """A response rule stands behind one that takes every answer it is for."""
    for name, endpoint in look.pipeline.endpoints.items():
        for number, response in enumerate(endpoint.responses):
            if any(_covers(before.when, response.when) for before in endpoint.responses[:number]):
                message = "this rule is never reached: one above it takes all its answers"
                path = ("endpoints", name, "responses", number)
                yield Found(path, Mistake("unreachable", message, "put the narrower rule first"))


def _covers(wide: When, narrow: When) -> bool:
    """Whether every answer that the narrow one is for is one of the wide one, too."""
    if wide.status is not None and (narrow.status is None or not _statuses(narrow) <= _statuses(wide)):
        return False
    headers = {name.lower(): value for name, value in narrow.header.items()}
    same = all(headers.get(name.lower()) == value for name, value in wide.header.items())
    return same and (wide.body is None or wide.body == narrow.body)


def _statuses(when: When) -> set[int]:
    return set(when.status) if isinstance(when.status, list) else {when.status} if when.status is not None else set()


def greedy_responses(look: Look) -> Iterator[Found]:
    """A response rule takes every good answer."""
    for path, _, response in _rules(look):
        when = response.when
        if not when.header and not when.body and (when.status is None or 200 in _statuses(when)):
            message = "every good answer has status 200, and this rule would take them all"
            fix = """say which ones: when: { status: 200, body: "status == 'error'" }"""
            yield Found((*path, "when"), Mistake("greedy", message, fix), key=True)


def powerless_responses(look: Look) -> Iterator[Found]:
    """A response rule does what cannot be done here."""
    for path, endpoint, response in _rules(look):
        verb, mistake = _verb(response), None
        auth = options(look.pipeline.connection.auth)
        if verb == "renew_auth" and not any(one.renewable for one in auth):
            message = "there is nothing to renew: this sign-in is the same each time"
            mistake = Mistake("powerless", message, "take the rule out, or say fail with what is wrong")
        elif verb == "split_window" and not endpoint.incremental:
            fix = "add incremental: { start: 30d, send: … }, or say skip or fail"
            mistake = Mistake("powerless", "there is no window to split without incremental", fix)
        elif verb == "reduce_page" and not any(getattr(one, "size", None) for one in options(endpoint.paginate)):
            fix = "name size in paginate: { send: query.limit, value: 100 }"
            mistake = Mistake("powerless", "there is no page size to reduce", fix)
        if mistake:
            yield Found((*path, verb), mistake, key=True)


def windows_too_short_to_split(look: Look) -> Iterator[Found]:
    """`split_window` stops at a window that is as long as every window is."""
    for path, endpoint, response in _rules(look):
        step = endpoint.incremental.step if endpoint.incremental else None
        if step and isinstance(response.verb, SplitWindow) and response.verb.smallest.seconds >= step.seconds:
            message = f"no window is longer than step: {step}, so none is ever split"
            mistake = Mistake("powerless", message, "write a shorter smallest")
            yield Found((*path, "split_window", "smallest"), mistake)


def useless_conditions(look: Look) -> Iterator[Found]:
    """`conditional` where an answer is never asked for twice."""
    for name, endpoint in look.pipeline.endpoints.items():
        why = None
        if endpoint.incremental:
            why = "each collection asks for another window"
        elif endpoint.job or endpoint.method != "GET":
            why = "only a GET is answered with 304"
        elif endpoint.redact or endpoint.decode_fields:
            why = "no page is kept as it came, so none can be taken again"
        if endpoint.conditional and why:
            message = f"conditional has no use here: {why}"
            yield Found(("endpoints", name, "conditional"), Mistake("conditional", message, "take it out"), "warning")


def _rules(look: Look) -> Iterator[tuple[Loc, Endpoint, Response]]:
    for name, endpoint in look.pipeline.endpoints.items():
        for number, response in enumerate(endpoint.responses):
            yield ("endpoints", name, "responses", number), endpoint, response


def _verb(response: Response) -> str:
    """The word of what a rule does."""
    return next(iter(response.model_fields_set - {"when"}))
