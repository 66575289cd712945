"""A made-up Cequence tenant: operations that take traffic, their risks, what is seen from outside, exported events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Row = dict[str, Any]

ANCHOR = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
HOSTS = ["api.acme.example", "shop.acme.example", "legacy.acme.example:8443", "198.51.100.4", "m2m.acme.example"]
NOUNS = ["orders", "login", "cards", "users/{id}", "export"]
CATEGORIES = ["Authentication", "Sensitive Data", "Non-conforming"]


def planted(kind: str, *words: object) -> str:
    """A secret that a search can find; its letters change under URL escaping."""
    name = "/".join(map(str, (kind, *words)))
    return f"PLANTED-{kind}/{str(uuid5(NAMESPACE_URL, name)).replace('-', '+')}="


def rfc3339(when: datetime) -> str:
    """UTC, to the second."""
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class Inventory:
    """One tenant, the same for the same `now`; lists are in the order in which they are answered."""

    now: datetime = ANCHOR

    def ago(self, days: float = 0) -> str:
        """So long before now."""
        return rfc3339(self.now - timedelta(days=days))

    @cached_property
    def lists(self) -> dict[str, list[Row]]:
        """Every list of the reading API. Each record has a field that no page knows; some name the caller's address."""
        found = {
            "api_definitions": self._definitions(),
            "runtime_endpoints": self._operations(),
            "endpoint_risks": self._risks(),
            "sensitive_data": self._sensitive(),
            "spec_drift": self._drift(),
            "policies": self._policies(),
            "external_hosts": self._hosts(),
            "external_findings": self._findings(),
        }
        for name, rows in found.items():
            for i, row in enumerate(rows):
                row["tenant_note"] = f"{name}-{i}"
                if i % 5 == 0:
                    row["client-ip"] = planted("address", name, i)
        return found

    def _definitions(self) -> list[Row]:
        bases = ["https://api.acme.example/v1", "https://API.acme.example/v2", "https://shop.acme.example"]
        rows = [
            {"id": f"def-{i}", "name": f"Definition {i}", "servers": bases[: i % 4], "updated_at": self.ago(i)}
            for i in range(11)
        ]
        rows[10].pop("servers")  # one that says nothing of its addresses
        return rows

    def _operations(self) -> list[Row]:
        rows = []
        for i in range(50):
            row = {
                "host": HOSTS[i % 5],
                "method": ["GET", "POST"][i % 2],
                "path": f"/v{i // 25 + 1}/{NOUNS[i // 5 % 5]}",
                "active": i % 7 != 0,
                "risk_level": ["high", "medium", "low"][i % 3],
                "sensitive_data": [["CREDIT_CARD", "EMAIL"], [], None][i % 3],
                "auth_type": ["none", "jwt", None, "None"][i % 4],
                "access_type": ["external", "internal", "third-party"][i // 2 % 3],
                "documented": [True, False, None][i // 3 % 3],
                "response_codes": [[200, 404], [401, 500], None, ["302"]][i // 2 % 4],
                "first_seen": self.ago(90 - i),
                "last_seen": self.ago(i / 10),
            }
            rows.append({name: value for name, value in row.items() if value is not None})
        # The list moved while it was read: two come again, seen later.
        return [*rows, *({**row, "last_seen": self.ago(0)} for row in rows[3:5])]

    def _risks(self) -> list[Row]:
        return [
            {
                "host": HOSTS[i % 4],
                "method": "GET",
                "path": f"/v1/{NOUNS[i // 4 % 5]}",
                "risk_category": CATEGORIES[i // 20],
                "risk_category_score": [0, 3.5, 4, 4.1, 7, "7.5", 10][i % 7],
                "risk_contributor": f"reason {i % 3}",
                "owasp": [f"API{i % 10 + 1}:2023"],
                "first_seen": self.ago(i),
                "last_seen": self.ago(0),
            }
            for i in range(50)
        ]

    def _sensitive(self) -> list[Row]:
        places = ["REQUEST_BODY", "RESPONSE_BODY"]
        return [
            {
                **{name: row[name] for name in ("host", "method", "path")},
                "type": kind,
                "location": places[i % 2],
                "last_seen": row["last_seen"],
            }
            for i, row in enumerate(self._operations()[:50])
            for kind in row.get("sensitive_data", [])
        ]

    def _drift(self) -> list[Row]:
        return [
            {
                **{name: row[name] for name in ("host", "method", "path")},
                "definition_id": "def-gone" if i == 1 else f"def-{i}",
                "reasons": ["undocumented status"],
                "last_seen": row["last_seen"],
            }
            for i, row in enumerate(self._operations()[:4])
        ]

    def _policies(self) -> list[Row]:
        states = ["ON", "EXPERIMENTAL", "OFF"]
        return [{"id": f"R30{i}", "name": f"Policy {i}", "state": states[i % 3]} for i in range(9)]

    def _hosts(self) -> list[Row]:
        names = [*HOSTS[:2], *(f"{word}.acme.example" for word in ("dev", "old-api", "stage", "grafana", "vpn"))]
        kinds = ["edge", "infrastructure", "application"]
        return [
            {
                "host": name,
                "domain": "acme.example",
                "provider": ["AWS", "Akamai"][i % 2],
                "provider_type": kinds[i % 3],
                "crawled_at": self.ago(i),
            }
            for i, name in enumerate(names)
        ]

    def _findings(self) -> list[Row]:
        names = [row["host"] for row in self._hosts()]
        severities = ["critical", "high", "medium", "low"]
        return [
            {
                "id": f"finding-{i}",
                "host": names[i * i % 7],
                "severity": severities[i % 4],
                "title": f"Finding {i} <b>",
                "crawled_at": self.ago(i),
            }
            for i in range(12)
        ]

    # Exported events: the names of fields are public, the values are made up

    @cached_property
    def events(self) -> list[Row]:
        """Forty different events, of every kind and of two versions."""
        return [[self._runtime, self._detection, self._older, self._mitigation][i % 4](i) for i in range(40)]

    def _caller(self, i: int) -> Row:
        countries, carriers = ["DE", "FR", "BR"], ["Example Net", "Other Net"]
        return {
            "host": HOSTS[i % 3],
            "username": planted("username", i),
            "isp": carriers[i % 2],
            "country": countries[i % 3],
            "response_code": [200, "403"][i // 4 % 2],
            "client_ip": planted("address", "event", i),
            "sensor": f"s-{i}",
        }

    def _runtime(self, i: int) -> Row:
        score = [9.5, "6", 2][i // 4 % 3]
        risk = {"risk_category": CATEGORIES[i // 4 % 3], "risk_category_score": score, "risk_contributor": "reason"}
        return {**self._caller(i), "path": f"/v1/{NOUNS[i % 5]}", "risk_score_array": [3, 8], **risk}

    def _detection(self, i: int) -> Row:
        client = {"fingerprint": f"fp-{i % 6}", "user_agent": "curl/8.9"}
        rules: Row = {"rule_id_array": ["R301", f"R3{i:02d}"]} if i % 8 == 1 else {"Botdefense_rule_id_array": "R316"}
        return {**self._caller(i), "uri": "/login", "confidence": 0.9, **client, **rules}

    def _older(self, i: int) -> Row:
        client = {"http_fingerprint": f"fp-{i % 6}", "header_value_user_agent": "curl/7.1", "projected_browser": "none"}
        return {**self._caller(i), "uri": "/login", "rule_id_array": ["R301"], "confidence_score": "high", **client}

    def _mitigation(self, i: int) -> Row:
        policy: Row = {"policy": {"name": "Account takeover"}} if i % 8 == 3 else {"policy.name": "OTP flood"}
        client = {"fingerprint": f"fp-{i % 6}", "user_agent": "curl/8.9"}
        return {**self._caller(i), "uri": "/login", "action": ["block", "log"][i // 8 % 2], **policy, **client}

    def write_events(self, folder: Path) -> None:
        """The events as three files of lines, with some in two of them, and one file that holds a list."""
        folder.mkdir(parents=True, exist_ok=True)
        parts = {"2026-11-18": self.events[:12], "2026-11-19": self.events[9:20], "older": self.events[20:28]}
        for name, rows in parts.items():
            (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        (folder / "from-siem.json").write_text(json.dumps(self.events[26:]))

    def secrets(self) -> list[str]:
        """What no output, log or store may hold: names and addresses of callers."""
        rows = [*self.events, *(row for rows in self.lists.values() for row in rows)]
        return [row[name] for row in rows for name in ("username", "client_ip", "client-ip") if name in row]
