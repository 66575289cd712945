"""What the tables of the Cequence page must hold, worked out from the tenant's own lists and events."""

import hashlib
import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from tests.vendors.cequence_inventory import Inventory, Row

TIMES = ("updated_at", "first_seen", "last_seen", "crawled_at")
FIELDS = {
    "api_definitions": "id name servers updated_at",
    "runtime_endpoints": "host method path is_active:active risk_level sensitive_data auth_type access:access_type"
    " documented response_codes first_seen last_seen",
    "endpoint_risks": "host method path risk_category risk_category_score risk_contributor owasp first_seen last_seen",
    "sensitive_data": "host method path type location last_seen",
    "spec_drift": "host method path definition:definition_id reasons last_seen",
    "policies": "id name state",
    "external_hosts": "host domain provider provider_type crawled_at",
    "external_findings": "id host severity title crawled_at",
}
EVENT = ("host", "risk_category", "risk_contributor", "action", "isp", "country")


def band(score: float | None) -> str | None:
    """The vendor's dashboard: red above 7, yellow above 4."""
    if score is None:
        return None
    return "high" if score > 7 else "medium" if score > 4 else "low"


def value(name: str, found: Any) -> Any:
    """A value of a record as its column holds it."""
    if name in TIMES and found is not None:
        return datetime.fromisoformat(found)
    if name == "risk_category_score":
        return None if found is None else float(found)
    return [str(one) for one in found] if isinstance(found, list) else found


def collected(inventory: Inventory) -> dict[str, list[Row]]:
    """The tables of the reading lists; what came twice is there once, as it was seen last."""
    tables = {}
    for table, words in FIELDS.items():
        names = [(word.partition(":")[0], word.rpartition(":")[2]) for word in words.split()]
        tables[table] = [
            {column: value(column, row.get(name)) for column, name in names} for row in inventory.lists[table]
        ]
    newest = {(row["host"], row["method"], row["path"]): row for row in tables["runtime_endpoints"]}
    tables["runtime_endpoints"] = [{**row, **_judged(row)} for row in newest.values()]
    tables["endpoint_risks"] = [
        {**row, "risk_band": band(row["risk_category_score"])} for row in tables["endpoint_risks"]
    ]
    return tables


def _judged(row: Row) -> Row:
    codes = row["response_codes"]
    answered = None if codes is None else any(code[0] in "23" for code in codes)
    unknown = row["auth_type"] is None
    # What only answered errors is none, whether it is documented or not.
    shadow = False if answered is False else None if row["documented"] is None else not row["documented"]
    return {
        "has_answered": answered,
        "has_sensitive_data": bool(row["sensitive_data"]),
        "is_unauthenticated": None if unknown else row["auth_type"].lower() == "none",
        "is_shadow": shadow,
    }


def events(inventory: Inventory) -> list[Row]:
    """Each event once, in the order in which it happened; its id is left out."""
    return [_event(event) for event in inventory.events]


def _event(event: Row) -> Row:
    def first(*names: str) -> Any:
        return next((event[name] for name in names if name in event), None)

    rules = [one for name in ("rule_id_array", "Botdefense_rule_id_array") for one in _listed(event.get(name))]
    score = event.get("risk_category_score")
    policy = event["policy"]["name"] if "policy" in event else event.get("policy.name")
    mitigated, runtime = "action" in event, "risk_score_array" in event
    sure = first("confidence", "confidence_score")
    return {
        **{name: event.get(name) for name in EVENT},
        "path": first("path", "uri"),
        "response_code": int(event["response_code"]),
        "risk_scores": "[3,8]" if runtime else None,
        "is_runtime": runtime,
        "risk_category_score": None if score is None else float(score),
        "policy": policy,
        "rule_ids": rules,
        "confidence": None if sure is None else json.dumps(sure),
        "fingerprint": first("fingerprint", "http_fingerprint"),
        "browser": event.get("projected_browser"),
        "user_agent": first("user_agent", "header_value_user_agent"),
        "user_hash": hashlib.sha256(event["username"].encode()).hexdigest(),
        "source_version": "5.x" if "http_fingerprint" in event else None,
        "is_mitigated": mitigated,
        "kind": "mitigation" if mitigated else "runtime detection" if runtime else "detection",
        "risk_band": band(None if score is None else float(score)),
        "threat": policy or event.get("risk_category") or ", ".join(rules),
    }


def _listed(found: Any) -> list[str]:
    return found if isinstance(found, list) else [] if found is None else [found]


def answers(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The tables that answer questions, in their order."""
    return {
        "shadow_endpoints": _shadow(tables),
        "exposed_endpoints": _exposed(tables),
        "risk_growth": _growth(tables["endpoint_risks"]),
        "threats": _threats(tables["events"]),
        "unknown_hosts": _unknown(tables),
        "attack_sources": _sources(tables["events"]),
        "paths": _paths(tables["runtime_endpoints"]),
        "host_summary": _hosts(tables),
    }


def _shadow(tables: dict[str, list[Row]]) -> list[Row]:
    defined = {server.split("/")[2].lower() for row in tables["api_definitions"] for server in row["servers"] or []}
    names = "host method path access auth_type is_unauthenticated sensitive_data has_sensitive_data risk_level"
    rows = [
        {
            **{name: row[name] for name in names.split()},
            "host_has_definition": row["host"] in defined,
            "first_seen": row["first_seen"],
            "last_seen": row["last_seen"],
        }
        for row in tables["runtime_endpoints"]
        if row["is_shadow"]
    ]
    return sorted(rows, key=lambda r: (not r["has_sensitive_data"], not r["is_unauthenticated"], *_operation(r)))


def _operation(row: Row) -> tuple[str, ...]:
    return row["host"], row["method"], row["path"]


def _is_exposed(row: Row) -> bool:
    return bool(row["access"] == "external" and row["is_unauthenticated"] and row["has_sensitive_data"])


def _exposed(tables: dict[str, list[Row]]) -> list[Row]:
    names = ["host", "method", "path", "sensitive_data", "risk_level", "is_shadow", "first_seen", "last_seen"]
    rows = [{name: row[name] for name in names} for row in tables["runtime_endpoints"] if _is_exposed(row)]
    return sorted(rows, key=_operation)


def _growth(risks: list[Row]) -> list[Row]:
    new: Counter[tuple[datetime, str]] = Counter()
    high: Counter[tuple[datetime, str]] = Counter()
    for risk in risks:
        monday = risk["first_seen"].replace(hour=0, minute=0) - timedelta(days=risk["first_seen"].weekday())
        new[monday, risk["risk_category"]] += 1
        high[monday, risk["risk_category"]] += risk["risk_band"] == "high"
    return [
        {
            "week": week,
            "risk_category": category,
            "new_risks": count,
            "new_high_risks": high[week, category],
            "week_before": new.get((week - timedelta(days=7), category), 0),
            "growth": count - new.get((week - timedelta(days=7), category), 0),
        }
        for (week, category), count in sorted(new.items())
    ]


def _grouped(rows: list[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return groups


def _mitigated(rows: list[Row]) -> int:
    return sum(row["is_mitigated"] for row in rows)


def _threats(rows: list[Row]) -> list[Row]:
    found = [
        {
            "threat": threat,
            "events": len(group),
            "mitigated": _mitigated(group),
            "mitigated_ratio": _mitigated(group) / len(group),
            "hosts": len({row["host"] for row in group}),
            "fingerprints": len({row["fingerprint"] for row in group} - {None}),
            "worst_score": max((s for row in group if (s := row["risk_category_score"]) is not None), default=None),
        }
        for (threat,), group in _grouped(rows, "threat").items()
    ]
    return sorted(found, key=lambda row: (-row["events"], row["threat"]))


def _unknown(tables: dict[str, list[Row]]) -> list[Row]:
    seen = {row["host"] for row in tables["runtime_endpoints"]}
    weak = _grouped(tables["external_findings"], "host")
    rows = [
        {
            **{name: row[name] for name in ("host", "domain", "provider", "provider_type")},
            "findings": len(weak.get((row["host"],), [])),
            "severe_findings": sum(one["severity"] in ("critical", "high") for one in weak.get((row["host"],), [])),
            "crawled_at": row["crawled_at"],
        }
        for row in tables["external_hosts"]
        if row["host"] not in seen
    ]
    return sorted(rows, key=lambda row: (-row["severe_findings"], -row["findings"], row["host"]))


def _sources(rows: list[Row]) -> list[Row]:
    found = [
        {"host": host, "country": country, "isp": isp, "events": len(group), "mitigated": _mitigated(group)}
        for (host, country, isp), group in _grouped(rows, "host", "country", "isp").items()
    ]
    return sorted(found, key=lambda row: (-row["events"], row["host"], row["country"], row["isp"]))


def _paths(rows: list[Row]) -> list[Row]:
    return [
        {
            "host": host,
            "path": path,
            "methods": len(group),
            "first_seen": min(row["first_seen"] for row in group),
            "last_seen": max(row["last_seen"] for row in group),
        }
        for (host, path), group in sorted(_grouped(rows, "host", "path").items())
    ]


def _hosts(tables: dict[str, list[Row]]) -> list[Row]:
    kinds = {
        name: _grouped(tables[name], "host") for name in ("runtime_endpoints", "endpoint_risks", "spec_drift", "events")
    }
    hosts = sorted({host for name in ("runtime_endpoints", "endpoint_risks", "events") for (host,) in kinds[name]})

    def of(name: str, host: str) -> list[Row]:
        return kinds[name].get((host,), [])

    return [
        {
            "host": host,
            "operations": len(of("runtime_endpoints", host)),
            "shadow": sum(bool(row["is_shadow"]) for row in of("runtime_endpoints", host)),
            "exposed": sum(map(_is_exposed, of("runtime_endpoints", host))),
            "risks": len(of("endpoint_risks", host)),
            "high_risks": sum(row["risk_band"] == "high" for row in of("endpoint_risks", host)),
            "drifted": len(of("spec_drift", host)),
            "events": len(of("events", host)),
            "mitigated": _mitigated(of("events", host)),
            "mitigated_ratio": _mitigated(of("events", host)) / len(of("events", host)) if of("events", host) else None,
        }
        for host in hosts
    ]
