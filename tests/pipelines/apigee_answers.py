"""What the questions of the Apigee page must answer, in plain Python over the rows its tables must hold."""

from collections import defaultdict
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]
COUNTED = ["deployments", "live_surface", "security_incidents", "security_actions", "unwatched_proxies"]
COUNTED += ["traffic_by_day"]


def answers(tables: Tables) -> Tables:
    """Every table that is a query, in the order of the page."""
    found = {
        "live_surface": live_surface(tables),
        "unprotected_live_revisions": unprotected(tables),
        "risky_keys": risky_keys(tables),
        "unanswered_incidents": unanswered(tables),
        "open_products": open_products(tables),
        "undocumented_traffic": undocumented(tables),
        "unwatched_proxies": unwatched(tables),
        "traffic_by_day": by_day(tables),
    }
    return found | {"environment_summary": summary({**tables, **found})}


def _descending(value: Any) -> Any:
    return -value if isinstance(value, (bool, int)) else -value.timestamp()


def live_surface(tables: Tables) -> list[Row]:
    """Deployment x environment group x host x base path."""
    groups = {group["name"]: group["hostnames"] for group in tables["envgroups"]}
    attached = defaultdict(list)
    for row in tables["envgroup_attachments"]:
        attached[row["environment"]].append(row["envgroup"])
    calls: dict[Any, float] = defaultdict(float)
    last: dict[Any, Any] = {}
    for point in tables["traffic_stats"]:
        if point["metric"] == "sum(message_count)" and point["value"] > 0:
            key = point["environment"], point["proxy"]
            calls[key] += point["value"]
            last[key] = max(last.get(key, point["at"]), point["at"])
    rows = []
    for live in tables["deployments"]:
        key = live["environment"], live["proxy"]
        for group in attached[live["environment"]]:
            for hostname in groups[group]:
                for path in live["basepaths"]:
                    rows.append(
                        {
                            **{name: live[name] for name in ("environment", "proxy", "revision")},
                            "envgroup": group,
                            "hostname": hostname,
                            "basepath": path,
                            "public_url": f"https://{hostname}{path}",
                            "host": hostname.lower().rstrip("."),
                            "deployed_at": live["deployed_at"],
                            "deployed_without_auth_policy": live["deployed_without_auth_policy"],
                            "risk_band": live["risk_band"],
                            "is_mcp": live["is_mcp"],
                            "calls": calls.get(key),
                            "last_called_on": last.get(key),
                        }
                    )
    order = ("environment", "proxy", "revision", "envgroup", "hostname", "basepath")
    return sorted(rows, key=lambda row: [row[name] for name in order])


def unprotected(tables: Tables) -> list[Row]:
    """Live revisions without sign-in, or whose policies (and no shared flow) give no protection."""
    rows = []
    for live in tables["deployments"]:
        hidden = live["uses_shared_flows"]
        lacks = {
            "lacks_auth": live["deployed_without_auth_policy"],
            "lacks_threat": not live["has_threat_policy"] and not hidden,
            "lacks_rate_limit": not live["has_rate_policy"] and not hidden,
        }
        told = ("auth_decided_by", "policy_families", "risk_band", "risk_score", "deployed_at", "deployed_days")
        if any(lacks.values()):
            named = {name: live[name] for name in ("environment", "proxy", "revision")}
            rows.append({**named, **lacks, **{name: live[name] for name in told}})
    return sorted(
        rows,
        key=lambda row: (
            not row["lacks_auth"],
            not row["lacks_threat"],
            not row["lacks_rate_limit"],
            row["environment"],
            row["proxy"],
            row["revision"],
        ),
    )


def risky_keys(tables: Tables) -> list[Row]:
    """Working keys with at least one of four reasons to worry."""
    people = {person["developer_id"]: person for person in tables["developers"]}
    opened: dict[Any, int] = defaultdict(int)
    for row in tables["key_products"]:
        if row["approval_type"] == "auto" and row["status"] == "approved":
            opened[row["app_id"], row["key_hash"]] += 1
    rows = []
    for key in (key for key in tables["app_keys"] if key["key_works"]):
        person = people.get(key["developer_id"], {})
        products = opened.get((key["app_id"], key["key_hash"]), 0)
        old, inactive = key["key_age_days"] > 365, person.get("status") == "inactive"
        reasons = sum([key["key_never_expires"], old, inactive, products > 0])
        if reasons:
            rows.append(
                {
                    "app": key["app"],
                    "app_id": key["app_id"],
                    "key_hash": key["key_hash"],
                    "developer": person.get("email"),
                    "app_group": key["app_group"],
                    "issued_at": key["issued_at"],
                    "key_age_days": key["key_age_days"],
                    "expires_at": key["expires_at"],
                    "key_never_expires": key["key_never_expires"],
                    "older_than_a_year": old,
                    "developer_is_inactive": inactive,
                    "auto_approved_products": products,
                    "stale_key": key["stale_key"],
                    "reasons": reasons,
                }
            )
    return sorted(rows, key=lambda row: (-row["reasons"], -row["key_age_days"], row["app_id"], row["key_hash"]))


def unanswered(tables: Tables) -> list[Row]:
    """Severe incidents in environments where no action is in force."""
    answered = {action["environment"] for action in tables["security_actions"] if action["in_force"]}
    told = ("environment", "display_name", "incident_open", "first_detected_at", "last_detected_at", "traffic_count")
    rows = [
        {name: row[name] for name in (*told, "detection_types", "name")}
        for row in tables["security_incidents"]
        if row["risk_level"] == "SEVERE" and row["environment"] not in answered
    ]
    return sorted(rows, key=lambda row: (not row["incident_open"], _descending(row["last_detected_at"]), row["name"]))


def open_products(tables: Tables) -> list[Row]:
    """Public products without quota or without scopes."""
    rows = [
        {
            "name": product["name"],
            "display_name": product["display_name"],
            "lacks_quota": not product["has_quota"],
            "lacks_scopes": not product["has_scopes"],
            "approves_itself": product["approval_type"] == "auto",
            "proxies": product["proxies"],
            "environments": product["environments"],
            "modified_at": product["modified_at"],
        }
        for product in tables["apiproducts"]
        if product["access"] == "public" and not (product["has_quota"] and product["has_scopes"])
    ]
    return sorted(
        rows, key=lambda r: (not (r["lacks_quota"] and r["lacks_scopes"]), not r["approves_itself"], r["name"])
    )


def undocumented(tables: Tables) -> list[Row]:
    """Operations that nothing documents, most called first."""
    hosts = {row["name"]: row["hostname"] for row in tables["hub_observations"]}
    told = ("method", "path", "calls", "first_seen_at", "last_seen_at", "name")
    rows = [
        {"hostname": hosts[row["observation"]], **{name: row[name] for name in told}}
        for row in tables["hub_operations"]
        if row["classification"] == "UNKNOWN"
    ]
    return sorted(rows, key=lambda row: (-row["calls"], row["name"]))


def unwatched(tables: Tables) -> list[Row]:
    """Live proxies that no condition of their environment covers."""
    secured = {row["environment"]: row["api_security"] for row in tables["addons"]}
    rows = []
    for live in tables["deployments"]:
        conditions = [row for row in tables["security_monitoring_conditions"] if row["scope"] == live["environment"]]
        if not any(row["watches_all"] or live["proxy"] in (row["watched_proxies"] or []) for row in conditions):
            named = {name: live[name] for name in ("environment", "proxy", "revision")}
            rows.append({**named, "has_security_addon": secured[live["environment"]]})
    return sorted(rows, key=lambda row: (row["environment"], row["proxy"], row["revision"]))


def by_day(tables: Tables) -> list[Row]:
    """Calls and errors of an environment on a day."""
    sums: dict[Any, dict[str, float]] = defaultdict(lambda: {"calls": 0.0, "errors": 0.0})
    for point in tables["traffic_stats"]:
        name = {"sum(message_count)": "calls", "sum(is_error)": "errors"}[point["metric"]]
        sums[point["environment"], point["at"]][name] += point["value"]
    return [{"environment": env, "day": day, **counts} for (env, day), counts in sorted(sums.items())]


def summary(tables: Tables) -> list[Row]:
    """One line for each environment."""
    secured = {row["environment"]: row["api_security"] for row in tables["addons"]}
    rows = []
    for env in sorted(tables["environments"], key=lambda env: str(env["name"])):
        here = {name: [row for row in tables[name] if row["environment"] == env["name"]] for name in COUNTED}
        days = here["traffic_by_day"]
        rows.append(
            {
                "environment": env["name"],
                "type": env["type"],
                "has_security_addon": secured[env["name"]],
                "live_revisions": len(here["deployments"]),
                "without_auth": sum(row["deployed_without_auth_policy"] for row in here["deployments"]),
                "high_risk": sum(row["risk_band"] == "high" for row in here["deployments"]),
                "public_hosts": len({row["hostname"] for row in here["live_surface"]}),
                "severe_incidents": sum(row["risk_level"] == "SEVERE" for row in here["security_incidents"]),
                "open_incidents": sum(row["incident_open"] for row in here["security_incidents"]),
                "actions_in_force": sum(row["in_force"] for row in here["security_actions"]),
                "unwatched_proxies": len(here["unwatched_proxies"]),
                "calls": sum(day["calls"] for day in days) if days else None,
                "errors": sum(day["errors"] for day in days) if days else None,
            }
        )
    return rows
