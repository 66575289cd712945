"""What the tables of scans of the 42Crunch page must hold, worked out from the stand-in's truth in plain Python."""

from tests.pipelines.apigee_expected import instant
from tests.pipelines.crunch_expected import SEVERITY, seconds
from tests.vendors.crunch_inventory import Row
from tests.vendors.crunch_reports import Reports

LEVELS = ("critical", "high", "medium", "low", "info")


def scans(world: Reports) -> dict[str, list[Row]]:
    """The scans that are listed, their reports and tests."""
    found = [(api, row) for api in world.apis for row in world.scans(api)]
    read = [(api["desc"]["id"], row["report"]["taskId"]) for api, row in found]
    reports = {row["report"]["taskId"]: world.scan(api, row["report"]["taskId"]) for api, row in found}
    return {
        "scan_reports": [
            {
                "task_id": row["report"]["taskId"],
                "api_id": api["desc"]["id"],
                "name": row["report"]["name"],
                "configuration": (row["configuration"] or {}).get("name"),
                "started_at": seconds(row["report"]["start"]),
            }
            for api, row in found
        ],
        "scan_report": [_scan(api, task, reports[task]) for api, task in read],
        "scan_issues": [row for api, task in read for row in _tests(api, task, reports[task])],
    }


def _scan(api: str, task: str, report: Row) -> Row:
    summary = report["summary"]
    new = isinstance(summary["issues"], dict)
    counts = summary["issues"] if new else {"total": summary["issues"]}
    return {
        "task_id": task,
        "api_id": api,
        "scan_version": report["scanVersion"],
        "report_version": report["scanReportVersion"],
        "host": report.get("host"),
        "started_at": instant(summary["startDate"]),
        "ended_at": instant(summary["endDate"]),
        "state": summary["state"],
        "exit_code": summary["exitCode"],
        "requests": summary.get("totalRequest"),
        "issues": counts["total"],
        **{f"{level}s": counts[level] if new else summary[f"{level}Issues"] for level in LEVELS},
        "ended_well": summary["state"] in ("finished", "success"),
    }


def _tests(api: str, task: str, report: Row) -> list[Row]:
    same = {"task_id": task, "api_id": api}
    old = [
        {
            **same,
            "operation": path,
            "kind": verb,
            "path": path,
            "test": report["index"]["injectionKeys"][test["injectionKey"]],
            "place": report["index"]["jsonPointers"][test["jsonPointer"]],
            "criticality": test["criticality"],
            "outcome": None,
            "test_successful": None,
            "owasp": test["owaspMapping"],
            "http_status": test["responseHttpStatusCode"],
            "method": verb,
            "failed": test["criticality"] > 0,
        }
        for path, verbs in report.get("paths", {}).items()
        for verb, operation in verbs.items()
        for test in operation.get("issues", [])
    ]
    new = [
        {
            **same,
            "operation": name,
            "kind": kind,
            "path": operation["path"],
            "test": test["test"]["key"],
            "place": None,
            "criticality": test["outcome"]["criticality"],
            "outcome": test["outcome"]["status"],
            "test_successful": test["outcome"]["testSuccessful"],
            "owasp": None,
            "http_status": None,
            "method": operation["method"].lower(),
            "failed": test["outcome"]["status"] == "defective",
        }
        for name, operation in report.get("operations", {}).items()
        for kind in ("conformance", "authorization")
        for test in operation[f"{kind}RequestsResults"]
    ]
    return [
        {**row, "severity": SEVERITY[row["criticality"]], "is_authorization": row["test"][-4:] in ("bola", "bfla")}
        for row in old + new
    ]
