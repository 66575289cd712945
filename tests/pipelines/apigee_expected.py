"""What the tables of the Apigee page must hold, worked out from the stand-in's truth in plain Python."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.vendors.apigee_truth import World

Row = dict[str, Any]
AUTH = re.compile("verify.?api.?key|oauth|jwt|jws|basic.?auth|saml", re.IGNORECASE)
RATE = re.compile("spike|quota", re.IGNORECASE)
THREAT = re.compile("threat|regex.?prot|cors", re.IGNORECASE)


def ms(text: str | None) -> datetime | None:
    """Milliseconds as text; "-1" means never."""
    if text in (None, "-1"):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(str(text)))


def instant(text: str | None) -> datetime | None:
    """RFC 3339 in UTC, to the microsecond."""
    if text is None:
        return None
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return moment + timedelta(microseconds=int(fraction.ljust(6, "0")[:6]))


def days(start: datetime, end: datetime) -> int:
    """Whole days, cut towards zero."""
    return int((end - start) / timedelta(days=1))


def sha256(text: str) -> str:
    """The hash under which a key is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


def inventory(world: World) -> dict[str, list[Row]]:
    """Environments, proxies, revisions, flows, groups: what there is and where it can be reached."""
    return {
        "environment_names": [{"name": env["name"]} for env in world.environments],
        "environments": [_environment(env) for env in world.environments],
        "addons": [_addons(env["name"], env["name"] in world.secured) for env in world.environments],
        "proxies": [_proxy(proxy) for proxy in world.proxies],
        "proxy_revisions": [_revision(revision) for revision in world.proxy_revisions],
        "sharedflows": [_flow(flow) for flow in world.sharedflows],
        "sharedflow_deployments": [_live_flow(row) for row in world.flow_deployments],
        "envgroups": [_group(group) for group in world.envgroups],
        "envgroup_attachments": [_attachment(row) for row in world.attachments],
    }


def _addons(environment: str, secured: bool) -> Row:
    return {
        "environment": environment,
        "api_security": secured,
        "api_security_expires_at": None,
        "analytics": True,
    }


def _flow(flow: Row) -> Row:
    return {
        "name": flow["name"],
        "latest_revision": flow["latestRevisionId"],
        "revisions": flow["revision"],
        "space": None,
        "created_at": ms(flow["metaData"]["createdAt"]),
        "modified_at": ms(flow["metaData"]["lastModifiedAt"]),
    }


def _live_flow(row: Row) -> Row:
    return {
        "environment": row["environment"],
        "sharedflow": row["apiProxy"],
        "revision": row["revision"],
        "deployed_at": ms(row["deployStartTime"]),
    }


def _group(group: Row) -> Row:
    return {
        "name": group["name"],
        "hostnames": group["hostnames"],
        "state": group["state"],
        "created_at": ms(group["createdAt"]),
        "modified_at": ms(group["lastModifiedAt"]),
    }


def _attachment(row: Row) -> Row:
    return {
        "envgroup": row["environmentGroupId"],
        "name": row["name"],
        "environment": row["environment"],
        "created_at": ms(row["createdAt"]),
    }


def _environment(env: Row) -> Row:
    return {
        "name": env["name"],
        "display_name": env["displayName"],
        "state": env["state"],
        "type": env["type"],
        "deployment_type": env["deploymentType"],
        "proxy_type": env["apiProxyType"],
        "has_flow_hooks": env.get("hasAttachedFlowHooks", False),
        "created_at": ms(env["createdAt"]),
        "modified_at": ms(env["lastModifiedAt"]),
    }


def _proxy(proxy: Row) -> Row:
    return {
        "name": proxy["name"],
        "proxy_type": proxy["apiProxyType"],
        "latest_revision": proxy["latestRevisionId"],
        "revisions": proxy["revision"],
        "read_only": proxy.get("readOnly", False),
        "space": proxy.get("space"),
        "labels": proxy.get("labels"),
        "created_at": ms(proxy["metaData"]["createdAt"]),
        "modified_at": ms(proxy["metaData"]["lastModifiedAt"]),
    }


def _revision(revision: Row) -> Row:
    names = ", ".join(revision.get("policies", []))
    has = {"auth": bool(AUTH.search(names)), "rate": bool(RATE.search(names)), "threat": bool(THREAT.search(names))}
    return {
        "proxy": revision["name"],
        "revision": revision["revision"],
        "id": f"{revision['name']}/{revision['revision']}",
        "basepaths": revision["basepaths"],
        "policies": revision.get("policies"),
        "shared_flows": revision.get("sharedFlows"),
        "proxy_endpoints": revision["proxyEndpoints"],
        "target_endpoints": revision["targetEndpoints"],
        "target_servers": revision.get("targetServers"),
        "resources": revision.get("resources"),
        "has_extensible_policy": revision.get("hasExtensiblePolicy", False),
        "is_mcp": revision.get("mcp", False),
        "spec": revision.get("spec"),
        "created_at": ms(revision["createdAt"]),
        "modified_at": ms(revision["lastModifiedAt"]),
        "has_auth_policy": has["auth"],
        "has_rate_policy": has["rate"],
        "has_threat_policy": has["threat"],
        "uses_shared_flows": bool(revision.get("sharedFlows")),
        "policy_families": " ".join(family for family, there in has.items() if there),
    }


def deployments(world: World, revisions: list[Row], assessments: list[Row], now: datetime) -> list[Row]:
    """What is live, with its protection and what Google's assessment says of it."""
    protection = {row["id"]: row for row in revisions}
    assessed = {(row["environment"], row["proxy"], row["revision"]): row for row in assessments}
    taken = ("policy_families", "has_auth_policy", "has_rate_policy", "has_threat_policy", "uses_shared_flows")
    rows = []
    for live in world.deployments:
        revision = protection[f"{live['apiProxy']}/{live['revision']}"]
        risk = assessed.get((live["environment"], live["apiProxy"], live["revision"]), {})
        verdict = risk.get("auth_check")
        decided = "risk assessment" if verdict in ("PASS", "FAIL") else "policy names"
        if decided == "policy names" and not revision["has_auth_policy"] and revision["uses_shared_flows"]:
            decided = "a shared flow may sign in"
        unseen = not revision["has_auth_policy"] and not revision["uses_shared_flows"]
        started = ms(live["deployStartTime"])
        assert started
        rows.append(
            {
                "environment": live["environment"],
                "proxy": live["apiProxy"],
                "revision": live["revision"],
                "revision_id": revision["id"],
                "deployed_at": started,
                "service_account": live.get("serviceAccount"),
                "deployment_type": live["proxyDeploymentType"],
                "basepaths": revision["basepaths"],
                **{name: revision[name] for name in taken},
                "is_mcp": revision["is_mcp"],
                "risk_score": risk.get("risk_score"),
                "risk_band": risk.get("risk_band"),
                "auth_check": verdict,
                "deployed_without_auth_policy": {"FAIL": True, "PASS": False}.get(str(verdict), unseen),
                "auth_decided_by": decided,
                "deployed_days": days(started, now),
            }
        )
    return rows


def callers(world: World, now: datetime) -> dict[str, list[Row]]:
    """Products, developers, apps and their keys: who may call."""
    products = [_product(product) for product in world.apiproducts]
    known = {product["name"]: product for product in products}
    keys = [(app, key) for app in world.apps for key in app.get("credentials", [])]
    return {
        "apiproducts": products,
        "developer_emails": [{"email": person["email"]} for person in world.developers],
        "developers": [_developer(person) for person in world.developers],
        "apps": [_app(app) for app in world.apps],
        "app_keys": [_key(app, key, now) for app, key in keys],
        "key_products": [
            {
                "app_id": app["appId"],
                "key_hash": sha256(key["consumerKey"]),
                "product": opened["apiproduct"],
                "status": opened["status"],
                "approval_type": known.get(opened["apiproduct"], {}).get("approval_type"),
                "access": known.get(opened["apiproduct"], {}).get("access"),
            }
            for app, key in keys
            for opened in key["apiProducts"]
        ],
    }


def _developer(person: Row) -> Row:
    return {
        "email": person["email"],
        "developer_id": person["developerId"],
        "first_name": person["firstName"],
        "last_name": person["lastName"],
        "user_name": person["userName"],
        "status": person["status"],
        "apps": person.get("apps"),
        "created_at": ms(person["createdAt"]),
        "modified_at": ms(person["lastModifiedAt"]),
    }


def _app(app: Row) -> Row:
    return {
        "app_id": app["appId"],
        "name": app["name"],
        "status": app["status"],
        "developer_id": app.get("developerId"),
        "developer_email": app.get("developerEmail"),
        "app_group": app.get("appGroup"),
        "callback_url": None,
        "key_expires_in_ms": None,
        "created_at": ms(app["createdAt"]),
        "modified_at": ms(app["lastModifiedAt"]),
    }


def _product(product: Row) -> Row:
    configs = product.get("operationGroup", {}).get("operationConfigs", [])
    limits = [config["quota"]["limit"] for config in configs if "quota" in config]
    access = [item.get("value") for item in product["attributes"] if item["name"] == "access"]
    return {
        "name": product["name"],
        "display_name": product["displayName"],
        "approval_type": product["approvalType"],
        "access": access[0] if access else None,
        "environments": product.get("environments"),
        "proxies": product.get("proxies", []) + [config["apiSource"] for config in configs],
        "scopes": product.get("scopes"),
        "resources": product.get("apiResources"),
        "operations": configs or None,
        "quota": int(product["quota"]) if "quota" in product else None,
        "quota_interval": int(product["quotaInterval"]) if "quotaInterval" in product else None,
        "quota_unit": product.get("quotaTimeUnit"),
        "operation_quotas": limits,
        "space": None,
        "created_at": ms(product["createdAt"]),
        "modified_at": ms(product["lastModifiedAt"]),
        "has_quota": "quota" in product or bool(limits),
        "has_scopes": bool(product.get("scopes")),
    }


def _key(app: Row, key: Row, now: datetime) -> Row:
    issued, ends = ms(key["issuedAt"]), ms(key["expiresAt"])
    assert issued
    age = days(issued, now)
    approved = key["status"] == "approved"
    return {
        "app_id": app["appId"],
        "app": app["name"],
        "app_status": app["status"],
        "developer_id": app.get("developerId"),
        "app_group": app.get("appGroup"),
        "key_hash": sha256(key["consumerKey"]),
        "status": key["status"],
        "issued_at": issued,
        "expires_at": ends,
        "products": [opened["apiproduct"] for opened in key["apiProducts"]],
        "scopes": key["scopes"],
        "key_age_days": age,
        "key_never_expires": ends is None,
        "key_works": approved and app["status"] == "approved" and (ends is None or ends > now),
        "stale_key": approved and (age > 365 or (ends is None and age > 180)),
    }
