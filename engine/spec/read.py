"""A file becomes a Pipeline: defaults and styles merged, every word typed, every mistake found with its place."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.core.errors import Finding, Json, Mark, Mistake, SpecError, nearest
from engine.core.registry import Registry
from engine.spec.collect import BODIES, METHODS, Endpoint
from engine.spec.model import Pipeline
from engine.spec.yamlfile import Document, Node, merge, plain, read

Loc = tuple[str | int, ...]
VARIANTS = ("paginate", "decode")
"""Words of an endpoint whose value is chosen by its key: an endpoint's own choice replaces that of its style."""
EITHER = (frozenset((*METHODS, "file", "job")), frozenset(BODIES))
"""Words of which an endpoint has one: its own choice takes the others of its style away."""


@dataclass(frozen=True)
class Source:
    """A page as it was read: what it says, and where each thing stands."""

    pipeline: Pipeline
    document: Document
    """The page with defaults and styles merged; places are those of the author's own lines."""
    written: Node
    """The page as it was written."""
    folder: Path
    """Where the page lies; files it names are relative to it."""

    @property
    def hash(self) -> str:
        """A hash of the page's text."""
        import hashlib

        return hashlib.sha256(self.document.text.encode()).hexdigest()[:16]

    def mark(self, *path: str | int) -> Mark:
        """Where something stands; the nearest thing around it where it has no place of its own."""
        return self.document.mark(existing(self.document.root, path))

    def finding(self, path: Sequence[str | int], mistake: Mistake) -> Finding:
        """A mistake with its place."""
        return _finding(self.document, tuple(path), mistake)


def read_page(path: Path, registry: Registry) -> Source:
    """Read a page; raises SpecError with all findings."""
    source, findings, _ = read_partly(path, registry)
    if findings or source is None:
        findings.sort(key=lambda finding: (finding.mark.line, finding.mark.column))
        raise SpecError(f"{path} has mistakes", findings=tuple(dict.fromkeys(findings)))
    return source


def read_partly(path: Path, registry: Registry) -> tuple[Source | None, list[Finding], list[Loc]]:
    """What of a page can be understood, with what cannot, and the places that were left out for it.

    None where too little is left. Raises SpecError where it is no YAML.
    """
    document = read(path)
    if document.root.value is None:
        fix = "start with version: 1, tool: NAME and connection: { base_url: https://… }"
        raise SpecError(f"{path} is empty", findings=(document.finding((), "missing", "the page is empty", fix),))
    written = document.root
    document, findings = _merged(document)
    left_out: list[Loc] = []
    while True:
        try:
            pipeline = Pipeline.model_validate(plain(document.root), context={"registry": registry})
            return Source(pipeline, document, written, path.parent), findings, left_out
        except ValidationError as error:
            wrong = _each_once(document.root, _flat(Pipeline, error.errors(), ()))
        if not left_out:  # what is wrong afterwards only follows from what was left out
            findings += [_from_pydantic(document, loc, one) for loc, one in wrong]
        places = {existing(document.root, loc) for loc, _ in wrong}
        if () in places:
            return None, findings, left_out
        for place in places:
            document = replace(document, root=_without(document.root, place))
        left_out += places


def _without(node: Node, path: Loc) -> Node:
    """The page without what stands at a place."""
    first, *rest = path
    if isinstance(node.value, dict) and first in node.value:
        key = str(first)
        whole = {name: one for name, one in node.value.items() if rest or name != key}
        return replace(node, value=whole | ({key: _without(whole[key], tuple(rest))} if rest else {}))
    if isinstance(node.value, list) and isinstance(first, int) and first < len(node.value):
        kept = [_without(node.value[first], tuple(rest))] if rest else []
        return replace(node, value=[*node.value[:first], *kept, *node.value[first + 1 :]])
    return node


# --- defaults and styles


def _merged(document: Document) -> tuple[Document, list[Finding]]:
    """The document with `defaults` and the style each endpoint names merged into its endpoints."""
    root = document.root
    if not isinstance(root.value, dict):
        return document, []
    sections = dict(root.value)
    defaults, styles = sections.pop("defaults", None), sections.pop("styles", None)
    endpoints = sections.get("endpoints")
    findings = [
        document.finding((word,), "value", "a mapping is expected here", f"write {word}: {{ … }}")
        for word, node in (("defaults", defaults), ("styles", styles))
        if node is not None and not isinstance(node.value, dict)
    ]
    if endpoints is not None and isinstance(endpoints.value, dict):
        whole = {
            name: _endpoint(document, name, node, defaults, styles, findings) for name, node in endpoints.value.items()
        }
        sections["endpoints"] = replace(endpoints, value=whole)
    return replace(document, root=replace(root, value=sections)), findings


def _endpoint(
    document: Document, name: str, node: Node, defaults: Node | None, styles: Node | None, findings: list[Finding]
) -> Node:
    if isinstance(node.value, str):
        node = replace(node, value={"get": node})
    if not isinstance(node.value, dict):
        return node
    own = dict(node.value)
    use = own.pop("use", None)
    node = replace(node, value=own)
    known = styles.value if styles is not None and isinstance(styles.value, dict) else {}
    for style in reversed(used_styles(use)):
        if not isinstance(style.value, str) or style.value not in known:
            text = f'no style is called "{style.value}"{nearest(str(style.value), list(known))}'
            fix = "name a style of the section styles"
            findings.append(document.finding(("endpoints", name, "use"), "unknown-style", text, fix))
        else:
            node = _over(known[style.value], node)
    if defaults is not None:
        node = _over(_of_files(defaults) if "file" in own else defaults, node)
    assert isinstance(node.value, dict)
    if (front := _prepended(node.value.get("responses"))) is not None:
        node = replace(node, value={**node.value, "responses": front})
    return node


def used_styles(use: Node | None) -> list[Node]:
    """The styles that an endpoint names; of several each stands above those before it."""
    if use is None:
        return []
    return use.value if isinstance(use.value, list) and use.value else [use]


def _of_files(defaults: Node) -> Node:
    """What defaults say for a file: how to ask has no meaning for it, but what must not be kept has."""
    assert isinstance(defaults.value, dict)
    return replace(defaults, value={key: node for key, node in defaults.value.items() if key == "redact"})


def _over(base: Node, over: Node) -> Node:
    """The endpoint laid over a style: mappings merge, variants and lists replace, `prepend` adds in front."""
    assert isinstance(over.value, dict)
    if not isinstance(base.value, dict):
        return over
    own = dict(over.value)
    replaced = {key for key in VARIANTS if key in own}
    replaced |= {key for one_of in EITHER if one_of & set(own) for key in one_of - set(own)}
    under = {key: node for key, node in base.value.items() if key not in replaced}
    front, behind = _prepended(own.get("responses")), under.get("responses")
    if front is not None and behind is not None:
        under.pop("responses")
        last = _prepended(behind)
        whole = _joined(front, last or behind)
        own["responses"] = whole if last is None else replace(own["responses"], value={"prepend": whole})
    return merge(replace(base, value=under), replace(over, value=own))


def _prepended(responses: Node | None) -> Node | None:
    """The list of `responses: { prepend: … }`; None where the word is not used."""
    if responses is None or not isinstance(responses.value, dict) or set(responses.value) != {"prepend"}:
        return None
    return responses.value["prepend"]


def _joined(front: Node, behind: Node) -> Node:
    values = [node.value for node in (front, behind) if isinstance(node.value, list)]
    return replace(front, value=[one for value in values for one in value])


# --- what pydantic found, in an author's words


def _flat(model: Any, errors: Sequence[Any], before: Loc) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Every error with its place on the page; those below a part's word are unpacked."""
    for error in errors:
        loc: Loc = before + tuple(error["loc"])
        if error["type"] == "below":
            context = error["ctx"]
            yield from _flat(context["part"], context["errors"], (*loc, context["word"]))
        else:
            yield loc, {**error, "model": _model_at(model, tuple(error["loc"][:-1]))}


def _from_pydantic(document: Document, loc: Loc, error: dict[str, Any]) -> Finding:
    cause = (error.get("ctx") or {}).get("error")
    if isinstance(cause, Mistake):
        return _finding(document, loc, cause)
    place, word = existing(document.root, loc), str(loc[-1]) if loc else ""
    if error["type"] == "extra_forbidden":
        known = _words(error["model"])
        fix = f"known here: {', '.join(known)}" if known else "take it out"
        near = nearest(word, known)
        found = document.finding(place, "unknown-word", f'unknown word "{word}"{near}', fix, key=True)
        return replace(found, source="") if loc[0] == "secrets" and not near else found  # it may be the secret itself
    if error["type"] == "missing":
        return document.finding(place, "missing", f'"{word}" is missing', f"add {word}: …", key=True)
    shown = _shown(error["input"])
    if error["type"] == "literal_error" and len(error["forms"]) == 1:
        expected = str(error["ctx"]["expected"])
        near = nearest(str(error["input"]), re.findall(r"'([^']*)'", expected))
        message = f"{shown} is not one of {expected}{near}"
        if " or " not in expected:
            message = f"{shown} does not go here: there is only {expected}"
        return document.finding(place, "value", message, f"write {expected}")
    if error["type"] == "string_pattern_mismatch":
        fix = f"it must match {error['ctx']['pattern']}"
        return document.finding(place, "value", f"{shown} has characters that do not go here", fix)
    return document.finding(place, "value", f"{shown} does not go here: {_expected(error)}")


EXPECTED = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "string_type": "a text",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "path_type": "a path",
}


def _each_once(root: Node, errors: Iterable[tuple[Loc, dict[str, Any]]]) -> list[tuple[Loc, dict[str, Any]]]:
    """The errors, those of a word that takes several forms as one: where it is in none of them, each form has its own.

    Where it is in one of them, what is wrong there is told.
    """
    found: list[tuple[Loc, dict[str, Any]]] = []
    first: dict[Loc, dict[str, Any]] = {}
    placed = [(existing(root, loc), loc, error) for loc, error in errors]
    for place, loc, error in placed:
        form = _form(error)
        if not form:
            found.append((loc, error))
        elif place in first:
            first[place]["forms"].append(form)
        elif not any(at[: len(place)] == place and (at != place or not _form(one)) for at, _, one in placed):
            first[place] = {**error, "forms": [form]}
            found.append((loc, first[place]))
    return found


def _form(error: dict[str, Any]) -> str:
    """The form that a value does not have; an empty text where it has it, and something else is wrong."""
    return str(error["ctx"]["expected"]) if error["type"] == "literal_error" else EXPECTED.get(error["type"], "")


def _expected(error: dict[str, Any]) -> str:
    forms = dict.fromkeys(error.get("forms", ()))
    return f"{' or '.join(forms)} is expected" if forms else str(error["msg"]).lower()


def _shown(value: Json) -> str:
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _finding(document: Document, loc: Loc, mistake: Mistake) -> Finding:
    path = existing(document.root, loc)
    return document.finding(path, mistake.code, str(mistake), mistake.fix, offset=mistake.offset)


def existing(root: Node, path: Sequence[str | int]) -> Loc:
    """The part of a path that stands on the page: steps that a shorthand left out are passed over."""
    here, found = root, []
    for step in path:
        if isinstance(here.value, dict) and step in here.value:
            here = here.value[str(step)]
        elif isinstance(here.value, list) and isinstance(step, int) and step < len(here.value):
            here = here.value[step]
        else:
            continue
        found.append(step)
    return tuple(found)


def _words(model: Any) -> list[str]:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    words = [field.alias or name for name, field in model.model_fields.items()]
    return [*words, "use"] if model is Endpoint else words


def _model_at(model: Any, loc: Sequence[str | int]) -> Any:
    """The model that describes what stands at a place, as far as annotations tell."""
    here = model
    for step in loc:
        here = _inner(here)
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {field.alias or name: field for name, field in here.model_fields.items()}
            here = fields[str(step)].annotation if str(step) in fields else None
        else:
            arguments = typing.get_args(here)
            here = arguments[-1] if arguments else None
    return _inner(here)


def _inner(kind: Any) -> Any:
    """Without Annotated and without the None of an optional."""
    while True:
        if typing.get_origin(kind) is typing.Annotated:
            kind = typing.get_args(kind)[0]
        elif typing.get_origin(kind) in (typing.Union, types.UnionType):
            kind = next((one for one in typing.get_args(kind) if one is not type(None)), None)
        else:
            return kind
