"""Lints of how the vendor is reached: times that cannot be kept, and sign-ins that show or that nobody sees."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.errors import Mistake
from engine.core.kinds import Auth
from engine.core.values import Duration
from engine.core.wire import Place
from engine.spec.collect import Timeout
from engine.spec.lint.look import Found, Look, leaves, options
from engine.spec.read import Loc


def wrong_times(look: Look) -> Iterator[Found]:
    """Something may take longer than what it is a part of."""
    connection = look.pipeline.connection
    timeouts: list[tuple[Loc, Timeout]] = [(("connection", "timeout"), connection.timeout)]
    jobs: list[tuple[Loc, str, object, str, object]] = []
    for name, endpoint in look.pipeline.endpoints.items():
        timeouts += [(("endpoints", name, "timeout"), endpoint.timeout)] if endpoint.timeout else []
        if endpoint.job and (poll := endpoint.job.poll):
            path: Loc = ("endpoints", name, "job", "poll")
            jobs.append(((*path, "every"), "every", poll.every, "deadline", poll.deadline))
            jobs.append(((*path, "deadline"), "deadline", poll.deadline, "connection.deadline", connection.deadline))
    for path, one in timeouts:
        jobs.append(((*path, "request"), "timeout", one.request, "connection.deadline", connection.deadline))
        for word in ("connect", "read"):
            if word in one.model_fields_set:
                jobs.append(((*path, word), word, getattr(one, word), "request", one.request))
    for path, short, inner, long, outer in jobs:
        if isinstance(inner, Duration) and isinstance(outer, Duration) and inner.seconds > outer.seconds:
            message = f"{short}: {inner} is never reached: {long}: {outer} ends it before"
            yield Found(path, Mistake("time", message, f"make {long} longer, or {short} shorter"))


def certificates_without_tls(look: Look) -> Iterator[Found]:
    """The client's certificate is shown in TLS only, and an address has none."""
    shown = any(type(one).certificate is not Auth.certificate for one in options(look.pipeline.connection.auth))
    for path, text in look.leaves if shown else ():
        if path[-1] == "base_url" and isinstance(text, str) and text.startswith("http://"):
            mistake = Mistake("tls", "without TLS nobody sees the client's certificate", "write https://")
            yield Found(path, mistake)


def secrets_in_addresses(look: Look) -> Iterator[Found]:
    """A sign-in sends its secret in the query: no mistake where the vendor wants it, but it will stand in logs."""
    for path, place in leaves(look.pipeline.connection.auth, ("connection", "auth")):
        if isinstance(place, Place) and place.kind == "query":
            message = "the secret stands in the address: proxies and the vendor's servers write it into their logs"
            yield Found(path, Mistake("query-secret", message, "send it to a header where the vendor takes it"), "note")
