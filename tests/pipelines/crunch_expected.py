"""What the tables of the 42Crunch page must hold, worked out from the stand-in's truth in plain Python."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.pipelines.apigee_expected import days, instant
from tests.vendors.crunch_inventory import Row
from tests.vendors.crunch_reports import Reports

SEVERITY = {0: "none", 1: "info", 2: "low", 3: "medium", 4: "high", 5: "critical"}
SECTIONS = ("security", "data", "semanticErrors", "validationErrors", "warnings")
VERBS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def seconds(value: Any) -> datetime:
    """A time in seconds, or in milliseconds where it is too large for that."""
    number = int(value)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number if number < 10**11 else number // 1000)


def text(value: Any) -> Any:
    """The empty text is null."""
    return None if value == "" else value


def band(audited: bool, valid: bool, score: float) -> str | None:
    """The word for a score."""
    if not audited:
        return None
    if not valid:
        return "invalid"
    return next(word for least, word in ((90, "excellent"), (75, "pass"), (50, "weak"), (0, "poor")) if score >= least)


def decoded(part: str) -> str:
    """A piece of a JSON pointer as it was before it was written as one."""
    return part.replace("~1", "/").replace("~0", "~")


def location(place: str) -> Row:
    """Path and method of a JSON pointer into a contract."""
    parts = place.split("/")
    inside = place.startswith("/paths/")
    method = parts[3] if inside and len(parts) > 3 and parts[3] in VERBS else None
    return {"path": decoded(parts[2]) if inside else None, "method": method}


def organization(world: Reports) -> dict[str, list[Row]]:
    """Collections, people, tags, gates and dictionaries."""
    return {
        "collections": [_collection(row) for row in world.collections],
        "collection_users": [
            {
                "collection_id": collection["desc"]["id"],
                "id": user["id"],
                "first_name": user["firstname"],
                "last_name": user["lastname"],
                "username": user["username"],
                "may_read": user["read"],
                "may_write": user["write"],
            }
            for i, collection in enumerate(world.collections)
            for user in world.users(i)
        ],
        "tags": [_tag(tag) for tag in world.tags],
        "categories": [_category(category) for category in world.categories],
        "audit_gates": [_gate(gate) for gate in world.audit_gates],
        "scan_gates": [{name: gate[name] for name in ("id", "name", "directives")} for gate in world.scan_gates],
        "data_dictionaries": world.dictionaries,
        "dictionary_formats": [
            _format(dictionary["id"], key, body)
            for dictionary in world.dictionaries
            for key, body in (world.formats(dictionary["id"]) or {}).items()
        ],
    }


def _collection(row: Row) -> Row:
    desc, summary, owner = row["desc"], row["summary"], row["owner"] or {}
    return {
        "id": desc["id"],
        "name": desc["name"],
        "technical_name": desc["technicalName"],
        "source": desc["source"],
        "is_shared": desc["isShared"],
        "is_shared_for_writing": desc["isSharedWrite"],
        "organization": summary["org"]["name"],
        "may_read": summary["read"],
        "may_write": summary["write"],
        "may_write_apis": summary["writeApis"],
        "apis": summary["apis"],
        "owner_id": owner.get("id"),
        "owner": owner.get("username"),
        "users": row["userCounter"],
        "teams": row["teamCounter"],
    }


def _tag(tag: Row) -> Row:
    return {
        "id": tag["tagId"],
        "name": tag["tagName"],
        "description": tag["tagDescription"],
        "category_id": tag["categoryId"],
        "category": tag["categoryName"],
        "is_exclusive": tag["isExclusive"],
        "is_free_form": tag["isFreeForm"],
        "is_protected": tag["isProtected"],
    }


def _category(row: Row) -> Row:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row.get("description"),
        "is_exclusive": row["isExclusive"],
        "is_free_form": row["isFreeForm"],
        "is_protected": row["isProtected"],
        "only_admin_can_tag": row["onlyAdminCanTag"],
    }


def _gate(gate: Row) -> Row:
    directives = gate["directives"]
    scores, rules = directives["minimumAssessmentScores"], directives["subcategoryRules"]
    data = rules["dataValidation"]
    return {
        "id": gate["id"],
        "name": gate["name"],
        "rejects_invalid": directives["rejectInvalidContract"],
        "least_score": float(scores["global"]),
        "least_security_score": float(scores["security"]),
        "least_data_score": float(scores["dataValidation"]),
        **rules["security"],
        "parameters": data["parameters"],
        "response_headers": data["responseHeaders"],
        "response_definition": data["responseDefinition"],
        "schema": data["schema"],
        "paths": data["paths"],
        "issue_rules": directives.get("issueRules"),
    }


def _format(dictionary: str, key: str, body: Row) -> Row:
    return {
        "dictionary_id": dictionary,
        "format": key,
        "name": body["name"],
        "type": body["type"],
        "pattern": body.get("pattern"),
        "min_length": int(body["minLength"]) if "minLength" in body else None,
        "max_length": int(body["maxLength"]) if "maxLength" in body else None,
        "minimum": body.get("minimum"),
        "maximum": body.get("maximum"),
        "example": body.get("example"),
    }


def apis(world: Reports) -> dict[str, list[Row]]:
    """APIs and their tags."""
    names = {row["desc"]["id"]: row["desc"]["name"] for row in world.collections}
    return {
        "apis": [_api(api, names[api["desc"]["cid"]], world.now) for api in world.apis],
        "api_tags": [
            {
                "api_id": api["desc"]["id"],
                "tag_id": tag["tagId"],
                "category": tag["categoryName"],
                "tag": tag["tagName"],
            }
            for api in world.apis
            for tag in api["tags"]
        ],
    }


def _api(api: Row, collection: str, now: datetime) -> Row:
    desc, audit, scan = api["desc"], api["assessment"], api["scan"]
    audited, scanned = instant(text(audit["last"])), instant(text(scan["last"]))
    audit_age = days(audited, now) if audited else None
    scan_age = days(scanned, now) if scanned else None
    tagged = {tag["categoryName"]: tag["tagName"] for tag in reversed(api["tags"])}
    return {
        "id": desc["id"],
        "collection_id": desc["cid"],
        "name": desc["name"],
        "technical_name": desc["technicalName"],
        "is_yaml": desc["yaml"],
        "revisions": desc["revisionOasCounter"],
        "locked": desc["lock"],
        "lock_reason": text(desc["lockReason"]),
        "audit_done": audit["isProcessed"],
        "audited_at": audited,
        "contract_valid": audit["isValid"],
        "grade": float(audit["grade"]),
        "errors": audit["numErrors"],
        "infos": audit["numInfos"],
        "lows": audit["numLows"],
        "mediums": audit["numMediums"],
        "highs": audit["numHighs"],
        "criticals": audit["numCriticals"],
        "oas_version": text(audit["oasVersion"]),
        "releasable": audit["releasable"],
        "gate_pass": audit["sqgPass"] if audited else None,
        "audit_version": audit["auditVersion"],
        "scanned_at": scanned,
        **_last_scan(scan),
        "tags": [f"{tag['categoryName']}: {tag['tagName']}" for tag in api["tags"]],
        "owner": tagged.get("owner"),
        "app": tagged.get("app"),
        "env": tagged.get("env"),
        "audit_band": band(audited is not None, audit["isValid"], audit["grade"]),
        "scan_gate_pass": scan["sqgPass"],
        "audit_age_days": audit_age,
        "scan_age_days": scan_age,
        "never_audited": audited is None,
        "never_scanned": scanned is None,
        "stale": audit_age is not None and audit_age > 30,
        "scan_stale": scan_age is not None and scan_age > 30,
        "collection": collection,
    }


def _last_scan(scan: Row) -> Row:
    return {
        "scan_state": text(scan["state"]),
        "scan_exit_code": scan["exitCode"],
        "scan_requests": scan["requestDone"],
        "scan_issues": scan["totalIssues"],
        "scan_highs": scan["numHighs"],
        "scan_mediums": scan["numMediums"],
        "scan_lows": scan["numLows"],
        "scan_version": text(scan["scanVersion"]),
    }


def audits(world: Reports) -> dict[str, list[Row]]:
    """Audit reports of the APIs whose audit is done, and all that is in them."""
    found = [api for api in world.apis if world.audited(api) and api["assessment"]["isProcessed"]]
    return {
        "audit_reports": [_audit(world, api) for api in found],
        "audit_issues": [row for api in found for row in _issues(world.audit_task(api), world.audit(api))],
        "unauthenticated_operations": [
            {
                "report_id": world.audit_task(api),
                "api_id": api["desc"]["id"],
                "pointer": pointer,
                "place": world.audit(api)["index"][pointer],
                **location(world.audit(api)["index"][pointer]),
            }
            for api in found
            for pointer in world.audit(api)["operationsNoAuthentication"]
        ],
        "audit_compliance": [_compliance(world, api) for api in found],
    }


def _audit(world: Reports, api: Row) -> Row:
    report = world.audit(api)
    part = {name: report[name]["score"] if name in report else None for name in ("security", "data")}
    return {
        "id": world.audit_task(api),
        "api_id": api["desc"]["id"],
        "audited_at": instant(api["assessment"]["last"]),
        "is_valid": api["assessment"]["isValid"],
        "openapi_state": report["openapiState"],
        "score": float(report["score"]),
        "security_score": part["security"],
        "data_score": part["data"],
        "criticality": report["criticality"],
        "api_name": report["summary"]["apiName"],
        "api_version": report["apiVersion"],
        "oas_version": report["oasVersion"],
        "basepath": report["summary"]["basepath"],
        "endpoints": report["summary"]["endpoints"],
        "paths": report["summary"]["pathCounter"],
        "operations": report["summary"]["operationCounter"],
        "was_cut": report["minimalReport"],
        "audit_band": band(True, report["openapiState"] == "valid", report["score"]),
    }


def _issues(task: str, report: Row) -> list[Row]:
    return [
        {
            "report_id": task,
            "api_id": report["apiId"],
            "section": section,
            "issue_id": issue_id,
            "description": group["description"],
            "detail": issue.get("specificDescription", ""),
            "criticality": issue["criticality"],
            "score": float(issue["score"]),
            "pointer": issue["pointer"],
            "place": report["index"][issue["pointer"]],
            "was_cut": group["tooManyError"],
            "severity": SEVERITY[issue["criticality"]],
            **location(report["index"][issue["pointer"]]),
        }
        for section in SECTIONS
        for issue_id, group in report.get(section, {}).get("issues", {}).items()
        for issue in group["issues"]
    ]


def _compliance(world: Reports, api: Row) -> Row:
    told = world.compliance(api)
    rules = [rule for one in told["processingDetails"] for rule in one["blockingRules"]]
    return {
        "report_id": world.audit_task(api),
        "api_id": api["desc"]["id"],
        "acceptance": told["acceptance"],
        "judged_at": seconds(told["date"]),
        "gates": [gate["name"] for gate in told["sqgsDetail"]],
        "blocking_gates": [one["blockingSqgId"] for one in told["processingDetails"]],
        "blocking_rules": rules,
        "gate_reason": rules[0] if rules else None,
    }
