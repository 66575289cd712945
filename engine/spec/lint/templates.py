"""Lints of templates: names that nobody knows, secrets where they would be kept, windows where there is none."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core import select
from engine.core.errors import Mistake, nearest
from engine.core.signing import SigningText
from engine.core.sql import Sql
from engine.core.template import Template, check_references, compile
from engine.spec.collect import BODIES, METHODS, Endpoint
from engine.spec.foreach import NAMESPACES, Parent
from engine.spec.lint.look import Found, Look, fields_of, is_default, is_template, references_in
from engine.spec.read import Loc

RUN = frozenset(("id", "started_at"))
WINDOW = frozenset(("start", "end"))
ASKED = (*METHODS, *BODIES, "query", "header", "add", "job")
"""The words of an endpoint that are filled for each request."""
ELSEWHERE = {
    "window": ("is at hand in what is sent, and in add", "take it out here"),
    "job": ("is at hand behind create of a job", "write the value itself, or ask in job"),
    "answer": ("is at hand in say of a response rule", "read answers with JMESPath, in records, paginate or columns"),
}
"""Namespace -> where it is filled, and what to do elsewhere."""
NOT_FILLED = ("doc", "docs", "title", "example", "regex")


def unknown_names(look: Look) -> Iterator[Found]:
    """A template reads a name that is not at hand where it stands."""
    for path, text in _texts(look):
        known, references = _known(look, path), references_in(text)
        known |= text.names if isinstance(text, SigningText) else {}
        # Secrets, windows and jobs where none may stand have lints of their own.
        own = ("secret", *(ELSEWHERE if _endpoint(look, path) else ()))
        told = {one.offset for one in references if one.namespace in own and one.namespace not in known}
        for mistake in check_references(text, known):
            if not references:  # it cannot be read at all
                yield Found(path, mistake)
            elif mistake.offset not in told:
                yield Found(path, Mistake("unknown-name", str(mistake), mistake.fix, offset=mistake.offset))


def unknown_fields(look: Look) -> Iterator[Found]:
    """A template reads a field of a parent record that nothing else on the page knows."""
    for path, _, reference in look.references:
        endpoint = _endpoint(look, path)
        parent = look.aliases(endpoint).get(reference.namespace) if endpoint else None
        if parent is None or not reference.path or reference.namespace not in _known(look, path):
            continue
        word, known = reference.path[0], sorted(_fields(look, parent))
        if parent.group or parent.values or not known or word in known:
            continue
        near = nearest(word, known)
        message = f'nothing on the page knows a field "{word}" of {reference.namespace}{near}'
        fix = f"known of {reference.namespace} are: {', '.join(known[:20])}"
        mistake = Mistake("unknown-field", message, fix, offset=reference.offset + len(reference.namespace) + 1)
        yield Found(path, mistake, "error" if near else "warning")


def kept_secrets(look: Look) -> Iterator[Found]:
    """A secret stands where it would be sent unsigned, kept or shown."""
    for path, _, reference in look.references:
        if reference.namespace == "secret" and not _may_be_secret(path):
            fix = "sign with connection.auth, which keeps it out of pages, logs and reports"
            message = "a secret stands in auth, proxy and mask only: here it would be kept or shown"
            yield Found(path, Mistake("kept-secret", message, fix, offset=reference.offset))


def misplaced_names(look: Look) -> Iterator[Found]:
    """A template of an endpoint reads `window`, `job` or `answer` where there is none."""
    for path, _, reference in look.references:
        endpoint, name = _endpoint(look, path), reference.namespace
        if endpoint is None or name not in ELSEWHERE or name in _known(look, path):
            continue
        if name == "window" and not endpoint.incremental:
            code, message = "window", "there is no window without incremental"
            fix = "add incremental: { start: 30d } to the endpoint"
        elif name == "job" and endpoint.job and path[3] != "create":
            code, message, fix = "job", "nothing names the job", "write read: answer.id in create"
        else:
            code, message, fix = "misplaced", f"{name} {ELSEWHERE[name][0]} only", ELSEWHERE[name][1]
        yield Found(path, Mistake(code, message, fix, offset=reference.offset))


def values_without_fields(look: Look) -> Iterator[Found]:
    """A template reads a field of an alias that stands for plain values, or for a group of parents."""
    for path, text, reference in look.references:
        endpoint = _endpoint(look, path)
        alias = reference.namespace
        parent = look.aliases(endpoint).get(alias) if endpoint else None
        if parent is None or alias not in _known(look, path):
            continue
        if parent.group and (reference.path or (_in_a_text(path, text) and "join" not in text)):
            message = f"{alias} is a list: so many parents go in one request"
            fix = f"take: the field in for_each, and write ${{{alias}|join(',')}}"
        elif parent.values and reference.path:
            message, fix = f"{alias} is one of the values, and has no fields", f"write ${{{alias}}}"
        else:
            continue
        yield Found(path, Mistake("for-each", message, fix, offset=reference.offset))


def _in_a_text(path: Loc, text: str) -> bool:
    """Whether a value is written into a text, where a list has no place."""
    return path[2] in METHODS or not compile(text).whole


def templates_that_nobody_fills(look: Look) -> Iterator[Found]:
    """A `${…}` stands in a text that is taken as it is."""
    for path, text in look.leaves:
        if not isinstance(text, str) or isinstance(text, (Template, select.Jmes)) or "${" not in text:
            continue
        if isinstance(text, Sql):
            fix = "SQL knows param.NAME and run.started_at as values"
            yield Found(
                path, Mistake("template-here", "a template cannot stand inside SQL", fix, offset=text.index("${"))
            )
        elif not is_default(path, text) and path[-1] not in NOT_FILLED:
            message = f"no template is filled in {_word(path)}: this stays as it stands"
            yield Found(path, Mistake("template-here", message, "write the value itself", offset=text.index("${")))


def aliases_that_hide(look: Look) -> Iterator[Found]:
    """An alias of for_each has the name of a namespace, or of an alias above it, or two above have one name."""
    for name, endpoint in look.pipeline.endpoints.items():
        above = [look.pipeline.endpoints.get(one) for one in endpoint.parents]
        every = [pair for one in above if one is not None for pair in look.aliases(one).items()]
        meant: dict[str, Parent] = {}
        for alias, parent in every:
            if meant.setdefault(alias, parent).endpoints != parent.endpoints:
                message = f'two of the endpoints above have an alias "{alias}", each for something else'
                mistake = Mistake("alias", message, "rename one of them where it stands")
                yield Found(("endpoints", name, "for_each"), mistake, key=True)
        for alias, parent in endpoint.for_each.items():
            taken = next((its for other, its in every if other == alias and its is not parent), None)
            if alias in NAMESPACES or taken:
                path: Loc = ("endpoints", name, "for_each", alias)
                yield Found(path, _has_a_meaning(look, endpoint, alias, parent, taken), key=True)


def _has_a_meaning(look: Look, endpoint: Endpoint, alias: str, parent: Parent, taken: Parent | None) -> Mistake:
    """What to do about an alias that a namespace has, or one of the endpoints above."""
    message, fix = f'the name "{alias}" has a meaning already', "choose another alias"
    if taken:
        above = [one for one in endpoint.parents if alias in look.aliases(look.pipeline.endpoints[one])]
        message += f": it comes down from {' and '.join(above)}"
    same = taken is not None and taken.sources == parent.sources
    return Mistake("alias", message, f"leave {alias} out here; it is at hand all the same" if same else fix)


def _texts(look: Look) -> Iterator[tuple[Loc, str]]:
    for path, text in look.leaves:
        if is_template(path, text):
            yield path, text


def _known(look: Look, path: Loc) -> dict[str, frozenset[str] | None]:
    """The namespaces that are filled at a place, as the walk fills them."""
    params: dict[str, frozenset[str] | None] = {"param": frozenset(look.pipeline.params)}
    endpoint = _endpoint(look, path)
    if _may_be_secret(path):
        return {**params, "secret": frozenset(look.pipeline.secrets)}
    if endpoint is None:
        return {**params, "run": RUN} if path[:2] in (("connection", "query"), ("connection", "header")) else params
    aliases = dict.fromkeys(look.aliases(endpoint))
    if path[2] == "responses":
        return {**params, "answer": None, **aliases}
    if path[2] not in ASKED:
        return params
    window: dict[str, frozenset[str] | None] = {"window": WINDOW} if endpoint.incremental else {}
    return {**params, "run": RUN, **window, **_job(endpoint, path), **aliases}


def _job(endpoint: Endpoint, path: Loc) -> dict[str, frozenset[str] | None]:
    """The namespace `job`, where a step before names it; an object gives its fields."""
    if endpoint.job is None or path[2] != "job":
        return {}
    known: set[str] = set()
    for word, step in endpoint.job.steps.items():
        if word == path[3]:
            break
        if read := getattr(step, "read", None):
            made = select.compile(read).tree
            if made["type"] != "multi_select_dict":
                return {"job": None}
            known |= {str(pair["value"]) for pair in made["children"]}
    return {"job": frozenset(known)} if known else {}


def _endpoint(look: Look, path: Loc) -> Endpoint | None:
    return look.pipeline.endpoints[str(path[1])] if path[0] == "endpoints" else None


def _fields(look: Look, parent: Parent) -> set[str]:
    """What is known of the records that an alias stands for; nothing where it may have any field."""
    known: set[str] = set()
    for one in parent.union or [parent]:
        if one.take:
            made = select.compile(one.take).tree
            if made["type"] != "multi_select_dict":
                return set()
            known |= {str(pair["value"]) for pair in made["children"]}
        elif one.endpoint in look.pipeline.endpoints:
            known |= fields_of(look, str(one.endpoint))
    return known | set(parent.by) if known else known


def _may_be_secret(path: Loc) -> bool:
    return path[:2] in (("connection", "auth"), ("connection", "proxy")) or (
        path[2:3] == ("enrich",) and path[4:5] == ("mask",)
    )


def _word(path: Loc) -> str:
    return next(str(step) for step in reversed(path) if isinstance(step, str))
