"""`docs/vocabulary.md`: each word that meets a vendor, what it does when the vendor misbehaves, and an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from engine.core.registry import Registry
from engine.spec import answers, collect, fields, foreach, job
from engine.spec.prose import misbehaving, sample
from engine.spec.yamlfile import parse, plain

MEETING = {"auth": "Signing in", "paginate": "Paging", "decode": "Decoding"}
"""Kind of part that meets the vendor -> its title."""
MODELS: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "Asking": {
        "for_each": foreach.Parent,
        "incremental": foreach.Incremental,
        "job": job.Job,
        "graphql": collect.Graphql,
    },
    "Response rules": {
        "retry": answers.Retry,
        "wait": answers.Wait,
        "renew_auth": answers.RenewAuth,
        "split_window": answers.SplitWindow,
        "reduce_page": answers.ReducePage,
        "skip": answers.Skip,
        "stop": answers.Stop,
        "fail": answers.Fail,
    },
    "Limits": {
        "rate_limit": fields.Limit,
        "learn": collect.Learn,
        "timeout": collect.Timeout,
    },
}
"""Title -> word -> the model whose docstring explains it."""
FIELDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Guards": {
        "changing_total": (
            "The declared number and the records that came differ: the list is read once more; if they still differ, "
            "the unit is incomplete. With this word the number is not believed.",
            "paginate: { offset: { send: query.offset, total: answer.total, allow: [changing_total] } }",
        ),
        "drift": (
            "A record comes on two neighbouring pages: the list moved while it was read. It is read once more; if it "
            "still moves, the unit is incomplete. With this word such records are taken as they come; "
            "a table with a key keeps one of each.",
            "paginate: { page_number: { send: query.page, allow: [drift] } }",
        ),
        "repeated_cursor": (
            "A cursor comes that came before, also A-B-A-B: the unit is incomplete, as it would go on for ever. With "
            "this word it is the regular end.",
            "paginate: { cursor: { read: answer.next, send: query.next, allow: [repeated_cursor] } }",
        ),
        "repeated_page": (
            "Two pages have the same records, as from a server that ignores `page`: the unit is incomplete. With this "
            "word equal pages are taken as they come.",
            "paginate: { page_number: { send: query.page, allow: [repeated_page] } }",
        ),
        "empty_pages": (
            "A thousand pages in a row have no records, and each says that more follow: the unit is incomplete. With "
            "this word the list is read on.",
            "paginate: { cursor: { read: answer.next, send: query.next, allow: [empty_pages] } }",
        ),
        "may_be_empty": (
            "An endpoint that had records has none: it is incomplete, and its tables keep their version. With this "
            "word it is empty.",
            "may_be_empty: true",
        ),
        "may_be_absent": (
            "The answer has nothing at `records`: the unit is incomplete. With this word there are no records.",
            "may_be_absent: true",
        ),
        "allow_hosts": (
            "A next link, a redirect or a file leads to another host: it is refused, and no credential goes there. "
            "With this word it is followed; redirects to it go unsigned.",
            "connection: { allow_hosts: [files.acme.example] }",
        ),
    },
    "Limits": {
        "concurrency": (
            "Answers of 429 and 503 halve the number of requests under way; it grows again while all is well.",
            "connection: { concurrency: 8 }",
        ),
        "deadline": (
            "A collection that takes longer ends: what was not fetched is missing, what was kept stays kept.",
            "connection: { deadline: 6h }",
        ),
        "max_page": (
            "A larger answer is not read to its end, also one that unpacks to more: the unit is incomplete.",
            "connection: { max_page: 20MB }",
        ),
        "conditional": (
            "An answer of 304 to a request without a condition is a refusal; a page that was kept and can no longer be "
            "read is asked for without a condition; a vendor that ignores conditions is read as ever.",
            "conditional: true",
        ),
    },
}
"""Title -> word -> what it does in trouble, and an example: words that are no model of their own."""
HEAD = """\
# What each word does when the vendor misbehaves

<!-- Written by `just docs` from the models and parts; do not edit. -->

A unit is one list for one parent and one window. One that is *incomplete* is named in the report with its reason, and
the run ends with exit 3; tables that would lose rows keep their version. The settings of each word stand in the
[reference](reference.md); [collecting](collecting.md) tells when to use which.
"""


@dataclass(frozen=True)
class Entry:
    """A word of the table."""

    title: str
    word: str
    trouble: str
    example: str
    """YAML: words of an endpoint, or sections of a page."""

    def row(self) -> str:
        """Its row, the example on one line."""
        [(key, value)] = piece(plain(parse(self.example, self.word).root), self.word).items()
        shown = f"{key}: {flow(value)}"
        cells = (f"`{self.word}`", self.trouble, f"``{shown}``" if "`" in shown else f"`{shown}`")
        return " | ".join(["", *(cell.replace("|", "\\|") for cell in cells), ""]).strip()


def entries(registry: Registry) -> Iterator[Entry]:
    """Every word that meets a vendor."""
    for kind, title in MEETING.items():
        for its_kind, word, part in registry.parts():
            if its_kind == kind:
                yield Entry(title, word, misbehaving(part), sample(part))
    for title, models in MODELS.items():
        for word, model in models.items():
            yield Entry(title, word, misbehaving(model), sample(model))
    for title, words in FIELDS.items():
        for word, (trouble, example) in words.items():
            yield Entry(title, word, trouble, example)


def vocabulary(registry: Registry) -> str:
    """The page of the docs."""
    found = list(entries(registry))
    text = HEAD
    for title in dict.fromkeys(one.title for one in found):
        rows = "\n".join(one.row() for one in found if one.title == title)
        text += f"\n## {title}\n\n| word | when the vendor misbehaves | example |\n|---|---|---|\n{rows}\n"
    return text


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{flow(key)}: {flow(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    if isinstance(value, str):
        plain_text = re.fullmatch(r"[A-Za-z_/][\w./ +@-]*(?<! )|\d+([a-zA-Z]+|/\w)", value)
        quoted = json.dumps(value, ensure_ascii=False) if "'" in value or '"' not in value else f"'{value}'"
        return value if plain_text and value not in ("true", "false", "null") else quoted
    return json.dumps(value)


def piece(tree: Any, word: str) -> dict[str, Any]:
    """The setting of an example in which a word stands; none where there is none."""
    scopes = [tree.get("connection", {}), *tree.get("endpoints", {}).values(), tree]
    for key, value in (pair for scope in scopes for pair in scope.items()):
        if key not in (*collect.METHODS, "base_url") and re.search(rf"\b{word}\b", flow({key: value})):
            return {key: value}
    return {word: None}
