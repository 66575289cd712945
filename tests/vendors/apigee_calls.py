"""How the stand-in of Apigee reads a request: its routes, its parameters, and the ways it cuts a list into pages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from tests.vendors.apigee_inventory import Row
from tests.vendors.google import error
from tests.vendors.server import Answer, Asked, Refusal

EVERYWHERE = {"alt", "prettyPrint", "quotaUser", "$.xgafv"}
PAGED = "pageSize pageToken"
# Method and path, the handler, and the query parameters that the vendor's discovery document lists.
ROUTES = [
    ("GET organizations", "organizations", ""),
    ("GET organizations/{org}/environments", "environments", ""),
    ("GET organizations/{org}/environments/{env}", "environment", ""),
    ("GET organizations/{org}/environments/{env}/addonsConfig", "addons", ""),
    ("GET organizations/{org}/environments/{env}/deployments", "deployments", "sharedFlows"),
    ("GET organizations/{org}/environments/{env}/securityIncidents", "incidents", f"filter {PAGED}"),
    ("GET organizations/{org}/environments/{env}/securityActions", "actions", f"filter {PAGED}"),
    (
        "GET organizations/{org}/environments/{env}/stats/{dimensions}",
        "stats",
        "select timeRange timeUnit limit offset tsAscending",
    ),
    ("GET organizations/{org}/apis", "proxies", "includeRevisions includeMetaData"),
    ("GET organizations/{org}/apis/{api}", "proxy", ""),
    ("GET organizations/{org}/apis/{api}/revisions", "revisions", ""),
    ("GET organizations/{org}/apis/{api}/revisions/{revision}", "revision", "format"),
    ("GET organizations/{org}/deployments", "deployments", "sharedFlows"),
    ("GET organizations/{org}/envgroups", "envgroups", PAGED),
    ("GET organizations/{org}/envgroups/{group}/attachments", "attachments", PAGED),
    ("GET organizations/{org}/apiproducts", "apiproducts", "expand count startKey"),
    ("GET organizations/{org}/apiproducts/{product}", "apiproduct", ""),
    ("GET organizations/{org}/developers", "developers", "expand count startKey"),
    ("GET organizations/{org}/developers/{email}", "developer", ""),
    (
        "GET organizations/{org}/apps",
        "apps",
        f"expand includeCred status keyStatus rows startKey {PAGED}",
    ),
    ("GET organizations/{org}/apps/{app}", "app", ""),
    ("GET organizations/{org}/sharedflows", "sharedflows", "includeRevisions includeMetaData"),
    ("GET organizations/{org}/securityMonitoringConditions", "conditions", f"filter riskAssessmentType {PAGED}"),
    ("POST organizations/{org}/securityAssessmentResults:batchCompute", "assessments", ""),
    ("GET projects/{project}/locations/{location}/discoveredApiObservations", "observations", PAGED),
    (
        "GET projects/{project}/locations/{location}/discoveredApiObservations/{id}/discoveredApiOperations",
        "operations",
        PAGED,
    ),
]
NOWHERE = b"<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p><b>404.</b> That's an error."


def bad(message: str) -> Refusal:
    """A request that the vendor calls invalid."""
    return Refusal(error(400, message))


@dataclass(frozen=True)
class Call:
    """A request that found its handler; `values` are the path's variables, the query and a JSON body together."""

    asked: Asked
    values: dict[str, Any]

    def text(self, name: str) -> str:
        """The value as text, empty where it was not sent."""
        return str(self.values.get(name, ""))

    def flag(self, name: str) -> bool:
        """A boolean; anything but true and false is refused."""
        if self.text(name) not in ("", "true", "false"):
            raise bad(f"Invalid value at '{name}' (TYPE_BOOL), \"{self.text(name)}\"")
        return self.text(name) == "true"

    def number(self, name: str, default: int) -> int:
        """A count; zero and nothing mean the default, anything but digits is refused."""
        if not re.fullmatch(r"[0-9]{0,9}", self.text(name)):
            raise bad(f"Invalid value at '{name}' (TYPE_INT32), \"{self.text(name)}\"")
        return int(self.text(name) or 0) or default

    def page(self, key: str, rows: list[Row], default: int, at_most: int) -> Row:
        """A page by token: the token belongs to one question and is void for any other; the page size may change."""
        others = {k: v for k, v in self.values.items() if k not in ("pageToken", "pageSize")}
        question = hashlib.sha256(json.dumps([self.asked.path, others], sort_keys=True).encode()).hexdigest()[:12]
        start = 0
        if token := self.text("pageToken"):
            try:
                start, asked_before = json.loads(base64.b64decode(token.removeprefix("+/"), validate=True))
            except ValueError:
                raise bad("Request contains an invalid argument: page token.") from None
            if asked_before != question:
                raise bad("The page token does not match the other parameters of the request.")
        end = start + min(self.number("pageSize", default), at_most)
        # A plus, a slash and an equals sign, so that a token which is not escaped does not survive.
        following = "+/" + base64.b64encode(json.dumps([end, question]).encode()).decode()
        return {key: rows[start:end]} | ({"nextPageToken": following} if end < len(rows) else {})

    def page_from_key(self, rows: list[Row], field: str, size: str = "count", *, at_most: int) -> list[Row]:
        """A page by key, which begins with the row of that key: the last row of a page comes again on the next."""
        start = 0
        if key := self.text("startKey"):
            start = next((i for i, row in enumerate(rows) if row[field] == key), -1)
            if start < 0:
                raise bad(f'The start key "{key}" is not in the list.')
        return rows[start : start + min(self.number(size, 1000), at_most)]


def route(asked: Asked) -> tuple[str, dict[str, str], set[str]]:
    """The handler, the variables of the path, and the query parameters it takes."""
    segments = asked.segments()
    if segments is None:
        raise bad("The path is not properly percent-encoded.")
    for pattern, handler, query in ROUTES:
        method, _, path = pattern.partition(" ")
        parts = ["v1", *path.split("/")]
        if method == asked.method and len(parts) == len(segments):
            pairs = list(zip(parts, segments, strict=True))
            if all(part == segment or (part[0] == "{" and segment) for part, segment in pairs):
                names = {part[1:-1]: segment for part, segment in pairs if part[0] == "{"}
                return handler, names, EVERYWHERE | set(query.split())
    raise Refusal(Answer(404, NOWHERE, {"Content-Type": "text/html; charset=UTF-8"}))
