"""A made-up organization on the 42Crunch platform: collections, their users and APIs, tags, gates, dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Row = dict[str, Any]

ANCHOR = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SIZES = [57, 9, 0, 3, 1, 4, 0, 6, 2, 1, 1, 2]
"""APIs of each collection: the first has more than a page, two have none."""


def uuid(*words: object) -> str:
    """An id that is the same in every run."""
    return str(uuid5(NAMESPACE_URL, "/".join(map(str, words))))


def planted(kind: str, *words: object) -> str:
    """A secret that a search can find; its letters change under URL escaping."""
    return f"PLANTED-{kind}/{uuid(kind, *words).replace('-', '+')}="


def rfc3339(when: datetime, digits: int = 0) -> str:
    """UTC with so many digits after the second, up to nanoseconds."""
    fraction = f".{when.microsecond:06d}431"[: digits + 1] if digits else ""
    return f"{when:%Y-%m-%dT%H:%M:%S}{fraction}Z"


@dataclass(frozen=True)
class Inventory:
    """One organization, the same for the same `now`; lists are in the order in which the platform answers them."""

    now: datetime = ANCHOR

    def ago(self, days: float = 0, **more: float) -> datetime:
        """So long before now."""
        return self.now - timedelta(days=days, **more)

    @cached_property
    def collections(self) -> list[Row]:
        """Twelve; some shared, some shared for writing; an owner is an object or null."""
        rows = []
        for i, size in enumerate(SIZES):
            name = {"username": f"owner{i}@acme.example", "firstname": "Zoë", "lastname": f"N{i}"}
            rows.append(
                {
                    "desc": {
                        "id": uuid("collection", i),
                        "name": f"team-{i:02d} / services",
                        "technicalName": uuid("collection", i),
                        "source": "default",
                        "isShared": i % 3 != 2,
                        "isSharedWrite": i % 6 == 0,
                    },
                    "summary": {
                        "org": {"name": "acme"},
                        "read": True,
                        "write": i % 2 == 0,
                        "writeApis": i % 2 == 0,
                        # One API came between the two counts.
                        "apis": size + (i == 7),
                    },
                    "protection": None,
                    "owner": {"id": uuid("user", i), **name} if i % 4 else None,
                    "userCounter": len(self.users(i)),
                    "teamCounter": i % 2,
                }
            )
        return rows

    def users(self, i: int) -> list[Row]:
        """Who may use a collection: none to three people, of whom the first may write."""
        return [
            {
                "id": uuid("user", i, k),
                "firstname": "Ana" if k else "",
                "lastname": f"Novak-{k}",
                "username": f"ana{k}.{i}@acme.example",
                "read": True,
                "write": k == 0,
            }
            for k in range(i % 4)
        ]

    @cached_property
    def categories(self) -> list[Row]:
        """Owner, app and env."""
        return [
            {
                "id": uuid("category", name),
                "name": name,
                "color": "#00a0df",
                "isExclusive": name != "app",
                "isFreeForm": name == "owner",
                "isProtected": False,
                "onlyAdminCanTag": name == "env",
                **({} if name == "app" else {"description": f"The {name} of an API"}),
            }
            for name in ("owner", "app", "env")
        ]

    @cached_property
    def tags(self) -> list[Row]:
        """Six tags of three categories."""
        words = {"owner": ["payments", "identity"], "app": ["shop", "core: api"], "env": ["prod", "test"]}
        return [
            {
                "tagId": uuid("tag", category["name"], word),
                "tagName": word,
                "tagDescription": "" if word == "shop" else f"About {word}",
                "categoryId": category["id"],
                "categoryName": category["name"],
                "categoryDescription": category.get("description", ""),
                "color": category["color"],
                "isProtected": category["isProtected"],
                "isFreeForm": category["isFreeForm"],
                "isExclusive": category["isExclusive"],
                "dependencies": None,
            }
            for category in self.categories
            for word in words[category["name"]]
        ]

    @cached_property
    def apis(self) -> list[Row]:
        """Every API with the number `n` by which the reports are made; see `listed` for what the platform tells."""
        rows: list[Row] = []
        for c, size in enumerate(SIZES):
            for _ in range(size):
                rows.append(self._api(len(rows), uuid("collection", c)))
        return rows

    def _api(self, n: int, collection: str) -> Row:
        never, running, invalid = n % 10 == 0, n % 10 == 1, n % 10 == 2
        grade = 0 if never or invalid else [97.5, 80, 58.5, 31.25, 75][n % 5]
        # The first two were scanned in the old way and the new one, others never.
        scanned = n % 3 < 2
        return {
            "n": n,
            "desc": {
                "id": uuid("api", n),
                "cid": collection,
                "name": f"Orders & more {n}",
                "technicalName": f"orders-{n}",
                "yaml": n % 2 == 0,
                "revisionOasCounter": n % 7,
                "lock": n % 11 == 0,
                "lockReason": "under review" if n % 11 == 0 else "",
            },
            "assessment": {
                "isProcessed": not running,
                "last": ("" if n % 20 else None) if never else rfc3339(self.ago(days=n % 50 + 0.5)),
                "isValid": not (never or invalid),
                "grade": grade,
                "numErrors": 0 if never else n % 6,
                "numInfos": n % 2,
                "numLows": n % 3,
                "numMediums": n % 4,
                "numHighs": 0 if never else n % 2,
                "numCriticals": int(n % 9 == 4),
                "oasVersion": "" if never else "3.0",
                "releasable": grade >= 75,
                "sqgPass": grade >= 75,
                "auditVersion": "3.1.1",
                "error": False,
            },
            "scan": {
                "isProcessed": scanned,
                "last": rfc3339(self.ago(days=n % 45, hours=1)) if scanned else (None if n % 2 else ""),
                "numHighs": n % 3 if scanned else 0,
                "numMediums": 0,
                "numLows": n % 2,
                "state": "finished" if scanned else "",
                "exitCode": 0,
                "requestDone": 137 if scanned else 0,
                "totalIssues": n % 5 if scanned else 0,
                "mode": 0,
                "sqgPass": [None, True, False][n % 3],
                "scanVersion": "1.18.0" if scanned else "",
            },
            "tags": [self.tags[k] for k in range(6) if n % 4 and (n + k) % 4 == 1],
        }

    def listed(self, collection: str, *, tags: bool) -> list[Row]:
        """The APIs of a collection as its list tells them; tags only when they are asked for."""
        rows = [{k: v for k, v in api.items() if k != "n"} for api in self.apis if api["desc"]["cid"] == collection]
        return rows if tags else [{**row, "tags": []} for row in rows]

    @cached_property
    def audit_gates(self) -> list[Row]:
        """Two gates; the second knows single issues."""
        levels = {"authentication": "high", "authorization": "high", "transport": "critical"}
        data = dict.fromkeys(("parameters", "responseHeaders", "responseDefinition", "schema", "paths"), "critical")
        return [
            {
                "id": uuid("audit gate", i),
                "name": f"Audit gate {i}",
                "directives": {
                    "rejectInvalidContract": ["yes", "no"][i],
                    "minimumAssessmentScores": {"global": 75, "security": 22.5, "dataValidation": 50 + i},
                    "subcategoryRules": {"security": levels, "dataValidation": {**data, "schema": "none"}},
                    **({"issueRules": ["v3-global-security", "v3-response-schema-undefined"]} if i else {}),
                },
            }
            for i in range(2)
        ]

    @cached_property
    def scan_gates(self) -> list[Row]:
        """One gate, of whose directives the clients read nothing."""
        return [{"id": uuid("scan gate", 0), "name": "Scan gate", "directives": {"severityThreshold": "high"}}]

    @cached_property
    def dictionaries(self) -> list[Row]:
        """The standard one, one of the company, and one without formats."""
        names = {"standard": "standard", uuid("dictionary", 1): "acme: money", uuid("dictionary", 2): "empty"}
        return [{"id": key, "name": name, "description": f"Formats of {name}"} for key, name in names.items()]

    def formats(self, dictionary: str) -> dict[str, Row] | None:
        """Formats by their key; numbers arrive as texts; a dictionary without formats has null."""
        if dictionary == uuid("dictionary", 2):
            return None
        text = {"type": "string", "pattern": "^[a-z]+$", "minLength": "2", "maxLength": "64", "example": "abc"}
        number = {"type": "integer", "minimum": "-5", "maximum": "9007199254740993", "default": "7"}
        prefix = "o" if dictionary == "standard" else "acme"
        return {
            f"{prefix}:{name}": {"id": uuid("format", dictionary, name), "name": name, "readOnly": False, **body}
            for name, body in {"word": text, "count": number, "two words": {"type": "string", "lengthUnit": ""}}.items()
        }
