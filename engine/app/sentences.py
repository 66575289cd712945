"""What the words of an endpoint mean for a run, in sentences for the person who reads the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.core.kinds import Paginator
from engine.core.settle import inside
from engine.core.values import Duration, param_of
from engine.core.wire import Place
from engine.flow.retry import PUSHING, STATUSES, Policy
from engine.spec.answers import Decode, Response, When
from engine.spec.collect import Connection, Endpoint, Learn, Timeout
from engine.spec.foreach import Incremental, Parent
from engine.spec.job import Job

WAYS = {
    "cursor": "pages by a cursor",
    "link_header": "pages by the header Link",
    "next_url": "pages by next links",
    "offset": "pages by offset",
    "page_number": "pages by number",
    "start_key": "pages behind the last key",
    "time_window": "pages are windows of time",
}


def how(endpoint: Endpoint, since: str) -> list[str]:
    """How often it is asked, for what, and in how many requests; `since` is where the first window starts."""
    found = list(_repeated(endpoint))
    if endpoint.incremental:
        found.append(_news(endpoint.incremental, since))
    if endpoint.job:
        found.append(_job(endpoint.job))
    if endpoint.paginate and endpoint.paginate.word != "none":
        found.append(_pages(endpoint.paginate))
    if endpoint.conditional:
        found.append("asked whether it changed since the last time")
    return found


def details(endpoint: Endpoint) -> list[str]:
    """What it takes a close look to see: forms, places, limits, and what certain answers mean."""
    found = list(_window(endpoint.incremental)) if endpoint.incremental else []
    found += _asked(endpoint)
    if endpoint.decode.model_fields_set:
        found.append(_decoded(endpoint.decode))
    if endpoint.decode_fields:
        found.append(", ".join(f"{path} is decoded as {chain}" for path, chain in endpoint.decode_fields.items()))
    if endpoint.timeout:
        found.append(patience(endpoint.timeout))
    if endpoint.paginate:
        found += _allowed(endpoint.paginate)
    found += ["an empty list is fine"] if endpoint.may_be_empty else []
    found += ["a missing list is an empty one"] if endpoint.may_be_absent else []
    return found + [f"{matching(rule.when)}: {meaning(rule)}" for rule in endpoint.responses]


def built_in(connection: Connection) -> list[str]:
    """The rules that stand behind those of the page."""
    policy = Policy()
    codes = ", ".join(str(status) for status in sorted(STATUSES))
    waits = f"{policy.tries} tries and {policy.budget_seconds:g}s of waiting, unless the vendor names a longer wait"
    learn = connection.learn
    headers = "the headers RateLimit-Remaining and RateLimit-Reset"
    left = f"{learn.remaining} and {learn.reset}" if isinstance(learn, Learn) else headers
    return [
        f"{codes}, a broken connection, an answer that does not decode: asked again, at most {waits}",
        *(["401: signed in anew, once"] if connection.auth and connection.auth.renewable else []),
        f"{' and '.join(map(str, sorted(PUSHING)))}: fewer requests at once, and more again while all is well",
        *([f"{left} tell when no request is left: then all wait"] if learn != "off" else []),
        "any other status of 400 and more: incomplete",
    ]


def patience(timeout: Timeout) -> str:
    """How long one answer may take."""
    pause = f", a pause in it {timeout.read}" if timeout.read != timeout.request else ""
    return f"an answer may take {timeout.request}, to connect {timeout.connect}{pause}"


# --- repeated, windows, jobs, pages


def _repeated(endpoint: Endpoint) -> Iterator[str]:
    said = [_parent(alias, parent) for alias, parent in endpoint.for_each.items()]
    if said:
        yield f"for {', with '.join(said)}"
    for parent in endpoint.for_each.values():
        for source in parent.sources:
            if source.when_changed:
                yield f"again when {source.when_changed} changed"


def _parent(alias: str, parent: Parent) -> str:
    sources = " and ".join(_source(one) for one in parent.sources)
    where = f" where {parent.where}" if parent.where and parent.union else ""
    once = f", the same {' and '.join(parent.by)} once" if parent.by else ""
    if parent.group:
        return f"{alias} of {sources}{where}{once}, {parent.group} in one request"
    return f"each {alias} of {sources}{where}{once}"


def _source(parent: Parent) -> str:
    where = f" where {parent.where}" if parent.where else ""
    if parent.table:
        return f"table {parent.table}{where}"
    return (parent.endpoint or ", ".join(parent.values) or f"param {param_of(parent.param or '')}") + where


def _news(news: Incremental, since: str) -> str:
    back = f", {news.overlap} earlier" if news.overlap.seconds else ""
    text = f"new since {since}, then since the last {news.field or 'window'}{back}"
    text += f", up to {news.until} ago" if news.until.seconds else ""
    return text + (f", in windows of {news.step}" if news.step else "")


def _window(news: Incremental) -> Iterator[str]:
    send = news.send
    if send:
        places = [f"{word} as {place}" for word, place in (("start", send.from_), ("end", send.until)) if place]
        yield f"the window goes out with {' and '.join(places)}, in the form {send.format}"
    if news.bounds == "inclusive":
        yield f"the vendor counts the end of a window: it is sent {news.granularity} early"
    if news.order == "asc":
        yield "lists come oldest first: where one breaks off, the next collection goes on behind what came"
    if news.parents.new == "now":
        yield "a new parent is read from now on only"
    if news.parents.gone.after:
        yield f"the mark of a parent that is gone is forgotten after {news.parents.gone.after}"


def _job(job: Job) -> str:
    steps = []
    if job.create:
        steps.append(f"asked for with {' '.join(map(str, job.create.way))}")
    if job.poll:
        when = f"every {job.poll.every} until {job.poll.done}, at most {job.poll.deadline}"
        steps.append(f"polled with {' '.join(map(str, job.poll.way))} {when}")
    if job.locate:
        steps.append(f"found with {' '.join(map(str, job.locate.way))}")
    fetch = job.fetch
    files = f"files at {fetch.urls}" if fetch.urls else f"the file at {' '.join(map(str, fetch.way))}"
    unsigned = ", unsigned" if fetch.auth == "none" else ""
    decoded = f", {_decoded(fetch.decode)}" if fetch.decode else ""
    return f"an export: {', then '.join([*steps, f'{files}{unsigned}{decoded}'])}"


def _pages(paginator: Paginator) -> str:
    size = getattr(paginator, "size", None)
    text = WAYS.get(paginator.word, f"pages by {paginator.word}")
    text += f", {size.value} records each" if size else ""
    text += f", each {step}" if isinstance(step := getattr(paginator, "step", None), Duration) else ""
    if type(paginator).ahead is not Paginator.ahead and _known_ahead(paginator):
        text += ", fetched ahead"
    text += f", until {paginator.stop_when}" if paginator.stop_when else ""
    return text + (f", at most {paginator.max_pages}" if paginator.max_pages else "")


def _known_ahead(paginator: Paginator) -> bool:
    """Whether something tells how many pages there are before they are asked for."""
    told = [getattr(paginator, word, None) for word in ("total", "total_pages", "step")]
    return any(told) and not paginator.stop_when


def _allowed(paginator: Paginator) -> Iterator[str]:
    if paginator.allow:
        yield f"no fault of this vendor: {', '.join(word.replace('_', ' ') for word in paginator.allow)}"
    places = {str(place): None for place in inside(paginator, Place)}
    if places:
        yield f"pages are asked for with {', '.join(places)}"


def _asked(endpoint: Endpoint) -> Iterator[str]:
    for word, what in (("form", "a form"), ("multipart", "a form in parts"), ("graphql", "a GraphQL query")):
        if getattr(endpoint, word):
            yield f"sends {what}"


def _decoded(decode: Decode) -> str:
    ways = [f"{value} as {chain}" for value, chain in decode.options.items()]
    other = f", others as {decode.chain}" if decode.by else ""
    return f"decoded by {decode.by}: {', '.join(ways)}{other}" if decode.by else f"decoded as {decode.chain}"


# --- response rules


def matching(when: When) -> str:
    """Which answers a rule is for."""
    statuses = when.status if isinstance(when.status, list) else [when.status] if when.status is not None else []
    said = [" or ".join(map(str, statuses))] if statuses else []
    said += [f"{name}: {value}" for name, value in when.header.items()]
    said += [f"{when.body}"] if when.body else []
    return " and ".join(said) or "any answer"


def meaning(rule: Response) -> str:
    """What is done with such an answer."""
    if rule.retry:
        apart = f"{rule.retry.wait} apart" if rule.retry.wait else "longer and longer apart"
        return f"asked again, {rule.retry.times} tries, {apart}"
    if rule.wait:
        return f"waits until {rule.wait.until} says, at most {rule.wait.at_most}, {rule.wait.times} tries"
    if rule.renew_auth:
        return "signed in anew, once"
    if rule.split_window:
        return f"asked for in two halves, down to windows of {rule.split_window.smallest}"
    if rule.reduce_page:
        return f"asked for in pages half as large, down to {rule.reduce_page.smallest}"
    if rule.skip:
        return f"{_SKIPPED[rule.skip.scope]} left out: {rule.skip.say}"
    return f"incomplete: {rule.fail.say}" if rule.fail else "the regular end of the list"


_SKIPPED = {"page": "the page is", "unit": "this request's records are", "endpoint": "the whole endpoint is"}


def skips(responses: Sequence[Response]) -> list[str]:
    """Why something may be left out."""
    return [f"may be skipped: {say}" for say in dict.fromkeys(str(rule.skip.say) for rule in responses if rule.skip)]
