"""A stand-in of three lists of GitHub's REST API, as its OpenAPI document describes them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from tests.vendors.server import Answer, Asked, Server

Row = dict[str, Any]
TOKEN = "ghp_PLANTED+token/4f1c0b"
SECRET = "AKIA-PLANTED+secret/77aa"
ALERTS = re.compile(r"/repos/(acme/[^/]+)/(code|secret)-scanning/alerts")


class GitHub(Server):
    """One organization, acme, with 205 repositories; every tenth is archived, every seventh was never scanned."""

    def repos(self) -> list[Row]:
        """All repositories in the order of their names."""
        return [
            {
                "id": i,
                "full_name": f"acme/service-{i:03d}",
                "visibility": ["private", "internal", "public"][i % 3],
                "archived": i % 10 == 9,
                "language": ["Go", "Python", None][i % 3],
                "pushed_at": f"2026-10-{i % 28 + 1:02d}T08:00:00Z",
                "temp_clone_token": SECRET,
                "security_and_analysis": {"secret_scanning": {"status": "disabled" if i % 5 == 0 else "enabled"}},
            }
            for i in range(205)
        ]

    def alerts(self, name: str, kind: str) -> list[Row]:
        """The findings in a repository; one repository has more than a page."""
        i = int(name[-3:])
        count = 130 if i == 1 else i % 3
        return [getattr(self, f"_{kind}")(number) for number in range(1, count + 1)]

    def _code(self, number: int) -> Row:
        severity = ["critical", "high", "medium", None][number % 4]
        return {
            "number": number,
            "created_at": "2026-09-01T08:00:00Z",
            "state": ["open", "fixed", "dismissed"][number % 3],
            "rule": {"id": f"go/rule-{number % 9}", "severity": "warning", "security_severity_level": severity},
            "tool": {"name": "CodeQL"},
        }

    def _secret(self, number: int) -> Row:
        return {
            "number": number,
            "created_at": "2026-09-02T08:00:00Z",
            "state": ["open", "resolved"][number % 2],
            "secret_type_display_name": "AWS Access Key ID",
            "validity": ["active", "inactive", "unknown"][number % 3],
            "secret": SECRET,
        }

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return refused(401, "Bad credentials")
        if asked.headers.get("x-github-api-version") != "2022-11-28":
            return refused(400, "unsupported API version")
        if asked.path == "/orgs/acme/repos":
            return self._page(asked, self.repos())
        found = ALERTS.fullmatch(asked.path)
        if not found:
            return refused(404, "Not Found")
        name, kind = found.groups()
        i = int(name[-3:])
        if kind == "code" and i % 14 == 7:
            return refused(404, "no analysis found")
        if kind == "code" and i % 7 == 0:
            return refused(403, "Code Security must be enabled for this repository to use code scanning.")
        if kind == "secret" and i % 5 == 0:
            return refused(404, "Secret scanning is disabled on this repository.")
        return self._page(asked, self.alerts(name, kind))

    def _page(self, asked: Asked, rows: list[Row]) -> Answer:
        """A bare list; the header `link` says where the next page is, as long as there is one."""
        sent = dict(asked.query)
        size, page = min(int(sent.get("per_page", 30)), 100), int(sent.get("page", 1))
        links = {"prev": page - 1, "next": page + 1 if page * size < len(rows) else 0}
        told = [
            f'<{self.url}{asked.path}?{urlencode({**sent, "page": number})}>; rel="{name}"'
            for name, number in links.items()
            if number
        ]
        link = {"link": ", ".join(told)} if told else {}
        return Answer.json(rows[(page - 1) * size : page * size], 200, **link)


def refused(status: int, message: str) -> Answer:
    """An error in GitHub's form."""
    return Answer.json({"message": message, "documentation_url": "https://docs.github.com/rest"}, status)
