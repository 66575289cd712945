"""What the questions of the 42Crunch page must answer, worked out from its expected tables in plain Python."""

from collections import defaultdict
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.vendors.crunch_inventory import Row

Tables = dict[str, list[Row]]


def answers(tables: Tables) -> Tables:
    """The rows of each question, in order. In the stand-in every API has at most one report."""
    apis = {api["id"]: api for api in tables["apis"]}
    current = sorted((_current(row) for row in tables["audit_reports"]), key=lambda row: str(row["api_id"]))
    made = {"current_audits": current}
    kinds: dict[str, Callable[[Tables, dict[str, Row]], list[Row]]] = {
        "gate_failures": _gate_failures,
        "overdue_apis": _overdue,
        "open_operations": _open_operations,
        "invalid_contracts": _invalid,
        "recurring_issues": _recurring,
        "broken_authorization": _broken_authorization,
        "shared_writers": _shared_writers,
        "unowned_apis": _unowned,
        "api_surface": _surface,
        "collection_summary": _summary,
    }
    return made | {name: answer(tables | made, apis) for name, answer in kinds.items()}


def _whose(api: Row) -> Row:
    return {"api": api["name"], "collection": api["collection"], "owner": api["owner"]}


def _current(report: Row) -> Row:
    left_out = ("id", "is_valid", "criticality", "oas_version", "was_cut")
    return {"report_id": report["id"], **{k: v for k, v in report.items() if k not in left_out}}


def _gate_failures(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    rules = {row["api_id"]: row["blocking_rules"] for row in tables["audit_compliance"]}
    rows = [
        {
            **_whose(api),
            "grade": api["grade"],
            "audit_band": api["audit_band"],
            "rule": rule,
            "audited_at": api["audited_at"],
            "api_id": api["id"],
        }
        for api in apis.values()
        if api["gate_pass"] is False
        # An audit that runs has no report to ask the gates about.
        for rule in rules.get(api["id"]) or [None]
    ]
    return sorted(rows, key=lambda row: (row["grade"], row["api_id"], row["rule"] or ""))


def _overdue(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    names = ("never_audited", "never_scanned", "audit_age_days", "scan_age_days")
    rows = [
        {**_whose(api), **{name: api[name] for name in names}, "api_id": api["id"]}
        for api in apis.values()
        if api["never_audited"] or api["never_scanned"] or api["stale"] or api["scan_stale"]
    ]
    return sorted(
        rows,
        key=lambda row: (
            not row["never_audited"],
            not row["never_scanned"],
            -(row["audit_age_days"] or 0),
            row["api_id"],
        ),
    )


def _open_operations(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    base = {row["report_id"]: row["basepath"] for row in tables["current_audits"]}
    rows = [
        {
            **_whose(apis[row["api_id"]]),
            "method": row["method"],
            "path": row["path"],
            "basepath": base[row["report_id"]],
            "api_id": row["api_id"],
        }
        for row in tables["unauthenticated_operations"]
    ]
    return sorted(rows, key=lambda row: (row["api"], row["api_id"], row["path"], row["method"]))


def _invalid(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    broken = defaultdict(list)
    for issue in tables["audit_issues"]:
        if issue["section"] in ("semanticErrors", "validationErrors"):
            broken[issue["report_id"]].append(issue["description"])
    rows = [
        {
            **_whose(apis[row["api_id"]]),
            "openapi_state": row["openapi_state"],
            "places": len(broken[row["report_id"]]),
            "first_problem": min(broken[row["report_id"]]),
            "audited_at": row["audited_at"],
            "api_id": row["api_id"],
        }
        for row in tables["current_audits"]
        if row["openapi_state"] != "valid"
    ]
    return sorted(rows, key=lambda row: (-row["places"], row["api_id"]))


def _recurring(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    severe = defaultdict(list)
    for issue in tables["audit_issues"]:
        if issue["criticality"] >= 4:
            severe[issue["issue_id"]].append(issue)
    rows = [
        {
            "issue_id": name,
            "description": min(issue["description"] for issue in issues),
            "criticality": max(issue["criticality"] for issue in issues),
            "apis": len({issue["api_id"] for issue in issues}),
            "places": len(issues),
        }
        for name, issues in severe.items()
    ]
    return sorted((r for r in rows if r["apis"] > 1), key=lambda r: (-r["apis"], -r["places"], r["issue_id"]))


def _broken_authorization(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    ended = {scan["task_id"]: scan["ended_at"] for scan in tables["scan_report"]}
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for test in tables["scan_issues"]:
        if test["is_authorization"] and test["failed"]:
            found[test["task_id"], test["path"], test["method"], test["test"]].append(test)
    rows = [
        {
            **_whose(apis[tests[0]["api_id"]]),
            "test": name,
            "method": method,
            "path": path,
            "criticality": max(test["criticality"] for test in tests),
            "tests": len(tests),
            "scanned_at": ended[task],
            "task_id": task,
        }
        for (task, path, method, name), tests in found.items()
    ]
    return sorted(rows, key=lambda r: (-r["criticality"], r["task_id"], r["path"], r["method"], r["test"]))


def _shared_writers(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    rows = []
    for collection in tables["collections"]:
        writers = [u for u in tables["collection_users"] if u["collection_id"] == collection["id"] and u["may_write"]]
        everybody = collection["is_shared_for_writing"]
        if collection["is_shared"] and (everybody or writers):
            rows += [
                {
                    "collection": collection["name"],
                    "everybody": everybody,
                    **{name: user.get(name) for name in ("username", "first_name", "last_name")},
                    "collection_id": collection["id"],
                }
                for user in writers or [{}]
            ]
    return sorted(rows, key=lambda row: (not row["everybody"], row["collection"], row["username"] or ""))


def _unowned(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    names = ("collection", "audit_band", "grade", "tags")
    rows = [
        {"api": api["name"], **{name: api[name] for name in names}, "api_id": api["id"]}
        for api in apis.values()
        if api["owner"] is None
    ]
    return sorted(rows, key=lambda row: (row["grade"], row["api_id"]))


def _surface(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    rows = [
        {
            "api_id": row["api_id"],
            "api": apis[row["api_id"]]["name"],
            "endpoint": endpoint,
            # The stand-in's ports are 443, which is left out.
            "host": urlsplit(endpoint).hostname,
            "basepath": row["basepath"],
            "audit_band": apis[row["api_id"]]["audit_band"],
            "gate_pass": apis[row["api_id"]]["gate_pass"],
        }
        for row in tables["current_audits"]
        for endpoint in row["endpoints"]
    ]
    return sorted(rows, key=lambda row: (row["api_id"], row["endpoint"]))


def _summary(tables: Tables, apis: dict[str, Row]) -> list[Row]:
    rows = []
    for collection in tables["collections"]:
        own = [api for api in apis.values() if api["collection_id"] == collection["id"]]
        grades = [api["grade"] for api in own if not api["never_audited"]]
        counted = {
            "fail_gate": sum(api["gate_pass"] is False for api in own),
            "invalid": sum(api["audit_band"] == "invalid" for api in own),
            "never_audited": sum(api["never_audited"] for api in own),
            "never_scanned": sum(api["never_scanned"] for api in own),
            "unowned": sum(api["owner"] is None for api in own),
        }
        rows.append(
            {
                "collection_id": collection["id"],
                "collection": collection["name"],
                "is_shared": collection["is_shared"],
                "apis_told": collection["apis"],
                "apis": len(own),
                "mean_grade": sum(grades) / len(grades) if grades else None,
                **counted,
            }
        )
    return sorted(rows, key=lambda row: (-row["fail_gate"], row["collection_id"]))
