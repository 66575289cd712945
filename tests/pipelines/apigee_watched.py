"""What the watching tables of the Apigee page must hold: incidents, actions, assessments, traffic, API hub."""

from datetime import datetime, timedelta
from typing import Any

from tests.pipelines.apigee_expected import instant, ms
from tests.vendors.apigee_truth import World

Row = dict[str, Any]
BANDS = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low", "MINIMAL": "none"}


def watched(world: World, now: datetime) -> dict[str, list[Row]]:
    """Every table about who watches, and about what goes past the gateway."""
    truth = world.truth()
    results = truth["risk_assessments"]
    return {
        "security_incidents": [_incident(row, now) for row in truth["security_incidents"]],
        "security_actions": [_action(row, now) for row in truth["security_actions"]],
        "risk_assessments": [_assessment(row) for row in results if "error" not in row],
        "failed_assessments": [_failed(row) for row in results if "error" in row],
        "risk_checks": [check for row in results for check in _checks(row)],
        "security_monitoring_conditions": [_condition(row) for row in truth["security_monitoring_conditions"]],
        "hub_observations": [_observation(row) for row in truth["hub_observations"]],
        "hub_operations": [_operation(row) for row in truth["hub_operations"]],
    }


def traffic(world: World, first_run: datetime, now: datetime) -> list[Row]:
    """Calls and errors by day, from thirty days before the first run: from the start of that day."""
    start = (first_run - timedelta(days=30)).replace(hour=0, minute=0)
    return [
        {
            "environment": point["_environment"],
            "proxy": point["apiproxy"],
            "metric": point["metric"],
            "at": ms(str(point["timestamp"])),
            "value": float(point["value"]),
        }
        for point in world.truth((start, now))["traffic_points"]
    ]


def _incident(row: Row, now: datetime) -> Row:
    last = instant(row["lastDetectedTime"])
    assert last
    return {
        "name": row["name"],
        "environment": row["_environment"],
        "display_name": row.get("displayName"),
        "risk_level": row["riskLevel"],
        "detection_types": row["detectionTypes"],
        "traffic_count": int(row.get("trafficCount", "0")),
        "observability": row["observability"],
        "first_detected_at": instant(row["firstDetectedTime"]),
        "last_detected_at": last,
        "observability_changed_at": instant(row.get("lastObservabilityChangeTime")),
        "incident_open": row["observability"] == "ACTIVE" and last >= now - timedelta(days=7),
    }


def _action(row: Row, now: datetime) -> Row:
    condition, ends = row["conditionConfig"], instant(row.get("expireTime"))
    return {
        "name": row["name"],
        "environment": row["_environment"],
        "description": None,
        "state": row["state"],
        "effect": next(effect for effect in ("deny", "flag", "allow") if effect in row),
        "proxies": row.get("apiProxies"),
        "ip_ranges": condition["ipAddressRanges"],
        "region_codes": condition.get("regionCodes"),
        "bot_reasons": None,
        "created_at": instant(row["createTime"]),
        "updated_at": instant(row["updateTime"]),
        "expires_at": ends,
        "in_force": row["state"] == "ENABLED" and (ends is None or ends > now),
    }


def _named(row: Row) -> Row:
    resource = row["resource"]
    return {
        "environment": row["_environment"],
        "resource_type": resource["type"],
        "proxy": resource["name"],
        "revision": resource["resourceRevisionId"],
    }


def _assessment(row: Row) -> Row:
    result = row["scoringResult"]
    failed = result["failedAssessmentPerWeight"]
    return {
        **_named(row),
        "risk_score": result.get("score", 0),
        "severity": result["severity"],
        "failed_major": failed.get("MAJOR", 0),
        "failed_moderate": failed.get("MODERATE", 0),
        "failed_minor": failed.get("MINOR", 0),
        "auth_check": result["assessmentRecommendations"]["auth-policies-check"]["verdict"],
        "assessed_at": instant(row["createTime"]),
        "data_updated_at": instant(result["dataUpdateTime"]),
        "risk_band": BANDS[result["severity"]],
    }


def _failed(row: Row) -> Row:
    unknown = ("risk_score", "severity", "failed_major", "failed_moderate", "failed_minor", "auth_check")
    return {
        **_named(row),
        **dict.fromkeys(unknown),
        "assessed_at": instant(row["createTime"]),
        "data_updated_at": None,
        "error_code": row["error"]["code"],
        "error_message": row["error"]["message"],
    }


def _checks(row: Row) -> list[Row]:
    checks = row.get("scoringResult", {}).get("assessmentRecommendations", {})
    where = {name: value for name, value in _named(row).items() if name != "resource_type"}
    return [
        {
            **where,
            "check_name": name,
            "title": check["displayName"],
            "weight": check["weight"],
            "verdict": check["verdict"],
            "score_impact": check.get("scoreImpact", 0),
            "advice": [advice["description"] for advice in check.get("recommendations", [])] or None,
        }
        for name, check in checks.items()
    ]


def _condition(row: Row) -> Row:
    monitored, deployed = row.get("totalMonitoredResources"), row.get("totalDeployedResources")
    included = [resource["name"] for resource in row["include"]["resources"]] if "include" in row else None
    return {
        "name": row["name"],
        "profile": row["profile"],
        "scope": row["scope"],
        "watches_all": "includeAllResources" in row,
        "watched_proxies": included,
        "monitored": monitored,
        "deployed": deployed,
        "created_at": instant(row["createTime"]),
        "updated_at": instant(row["updateTime"]),
        "unwatched": (deployed or 0) - (monitored or 0),
    }


def _observation(row: Row) -> Row:
    return {
        "name": row["name"],
        "hostname": row["hostname"],
        "style": row["style"],
        "origin": row["origin"],
        "server_ips": row["serverIps"],
        "source_types": row["sourceTypes"],
        "source_locations": row["sourceLocations"],
        "operations": int(row.get("apiOperationCount", "0")),
        "known_operations": int(row.get("knownOperationsCount", "0")),
        "unknown_operations": int(row.get("unknownOperationsCount", "0")),
        "created_at": instant(row["createTime"]),
        "last_event_at": instant(row["lastEventDetectedTime"]),
    }


def _operation(row: Row) -> Row:
    http = row["httpOperation"]["httpOperation"]
    return {
        "name": row["name"],
        "observation": row["name"].partition("/discoveredApiOperations/")[0],
        "method": http["method"],
        "path": http["path"]["path"],
        "classification": row["classification"],
        "calls": int(row.get("count", "0")),
        "first_seen_at": instant(row["firstSeenTime"]),
        "last_seen_at": instant(row["lastSeenTime"]),
    }
