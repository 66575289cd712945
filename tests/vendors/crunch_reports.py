"""What the stand-in's audits and scans say: reports as decoded documents, and the envelopes they travel in."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.vendors.crunch_inventory import Inventory, Row, planted, rfc3339, uuid

LEVELS = ("none", "info", "low", "medium", "high", "critical")
INDEX = [
    "",
    "/paths/~1login/post",
    "/paths/~1orders~1{id}/get",
    "/paths/~1orders~1{id}/parameters/0",
    "/components/schemas/Order~0v1",
    "/paths/~1a~0b~1c/delete/responses/200/content/application~1json/schema",
]
VERBS = ("get", "post", "delete")
TESTS = ["path-item-method-not-allowed-scan", "schema-pattern-scan", "partial-security-accepted"]


def packed(document: Any) -> str:
    """A document as JSON in base64."""
    return base64.b64encode(json.dumps(document, ensure_ascii=False).encode()).decode()


def issue(criticality: int, pointer: int, score: float = 0, **more: Any) -> Row:
    """One place of an issue."""
    return {"score": score, "pointer": pointer, "criticality": criticality, "tooManyImpacted": False, **more}


def group(description: str, issues: list[Row]) -> Row:
    """All places of one issue."""
    return {
        "description": description,
        "issues": issues,
        "totalIssues": len(issues),
        "issueCounter": len(issues),
        "score": sum(one["score"] for one in issues),
        "criticality": max(one["criticality"] for one in issues),
        "tooManyError": False,
    }


class Reports(Inventory):
    """The inventory with audits, their compliance with the gates, and scans in both forms."""

    def audited(self, api: Row) -> bool:
        """Whether there is an audit report: also while the next audit runs."""
        return bool(api["assessment"]["last"])

    def audit(self, api: Row) -> Row:
        """The decoded report; without security and data where the contract is invalid."""
        n, state = api["n"], "valid" if api["assessment"]["isValid"] else "structureInvalid"
        report = {
            "index": INDEX,
            "assessmentVersion": "3.1.1",
            "assessmentReportVersion": "1.0.1",
            "commit": "",
            "oasVersion": "3.0",
            "apiVersion": f"1.{n}.0",
            "fileId": "",
            "apiId": api["desc"]["id"],
            "openapiState": state,
            "score": api["assessment"]["grade"],
            "valid": api["assessment"]["isValid"],
            "criticality": 4,
            "semanticErrors": {"issues": {}},
            "validationErrors": {"issues": {}},
            "warnings": {"issues": {"v3-warning-unused": group("Unused", [issue(1, 4)])} if n % 3 == 0 else {}},
            "operationsNoAuthentication": [1, 2][: n % 3],
            "minimalReport": False,
            "maxEntriesPerIssue": 30,
            "maxImpactedPerEntry": 30,
            "issuesKey": [],
            "skippedIssues": [],
            "summary": {
                "oasVersion": "3.0",
                "apiVersion": f"1.{n}.0",
                "basepath": f"/v{n % 3}" if n % 3 else "",
                "apiName": f"Orders {n}",
                "description": "",
                "endpoints": [f"https://API{n}.example.com:443/v{n % 3}"] if n % 7 else [],
                "pathCounter": 3,
                "operationCounter": 4,
            },
        }
        if state != "valid":
            broken = [issue(5, 4, specificDescription="'type' is missing"), issue(5, 0)]
            return report | {"validationErrors": {"issues": {"v3-structure": group("The structure is wrong", broken)}}}
        security = min(30.0, report["score"])
        data = report["score"] - security + (2 if n == 13 else 0)  # one sum is wrong
        return report | {
            "security": {"score": security, "criticality": 4, "issueCounter": 1, "issues": self._security(n)},
            "data": {"score": data, "criticality": 3, "issueCounter": 2, "issues": self._data(n)},
        }

    def _security(self, n: int) -> Row:
        missing = group("No security is applied", [issue(4, 0, 15.5), issue(5, 1, 3, specificDescription="login")])
        return {"v3-global-security": missing} if n % 4 else {}

    def _data(self, n: int) -> Row:
        places = [issue(3, 5, 10.25, response=True), issue(2, 3, 0.5), issue(3, 2, n / 8)]
        found = {"v3-response-schema-undefined": group("A response has no schema", places[: 1 + n % 3])}
        return found | ({"v3-schema-items": group("An array has no items", [issue(4, 4, 1)])} if n % 5 == 3 else {})

    def audit_envelope(self, api: Row) -> Row:
        """The answer of assessmentreport."""
        assessment = api["assessment"]
        names = ("grade", "isValid", "numErrors", "numCriticals", "numHighs", "numMediums", "numLows", "oasVersion")
        return {
            "tid": self.audit_task(api),
            "aid": api["desc"]["id"],
            "cid": api["desc"]["cid"],
            "date": assessment["last"],
            "data": packed(self.audit(api)),
            "type": "JSON",
            "enc": "base64",
            "attr": {"data": {name: assessment[name] for name in names}},
            "log": "",
        }

    def audit_task(self, api: Row) -> str:
        """The task of the latest audit; another after each."""
        return uuid("audit", api["n"], api["assessment"]["last"])

    def compliance(self, api: Row) -> Row:
        """How the latest audit stands to the gates; times are seconds as text."""
        refused = not api["assessment"]["sqgPass"]
        reasons = [f"minimum audit score not reached: 75, got {api['assessment']['grade']}", "severity_threshold"]
        blocking = {"blockingSqgId": self.audit_gates[0]["id"], "blockingRules": reasons[: 1 + api["n"] % 2]}
        return {
            "acceptance": "no" if refused else "yes",
            "date": str(int(self.ago(days=api["n"] % 50).timestamp())),
            "api": api["desc"]["id"],
            "apiTags": [tag["tagId"] for tag in api["tags"]],
            "sqgs": [gate["id"] for gate in self.audit_gates],
            "sqgsDetail": self.audit_gates,
            "reportType": "audit",
            "processingDetails": [blocking] if refused else [],
        }

    # Scans

    def scans(self, api: Row) -> list[Row]:
        """Newest first; an API that was never scanned has none, some have two."""
        n = api["n"]
        if n % 3 == 2:
            return []
        rows = []
        for k in range(1 + (n % 9 == 3)):
            seconds = int(self.ago(days=n % 45 + 10 * k, hours=1).timestamp())
            # A number or a text, in seconds or in milliseconds: the clients do not tell.
            start = [seconds, str(seconds), seconds * 1000, str(seconds * 1000)][n % 4]
            configuration = {"id": uuid("configuration", n), "name": f"Scan {n}"} if n % 9 != 6 else None
            report = {"taskId": uuid("scan", n, k), "name": f"scan {n}.{k}", "start": start}
            rows.append({"report": report, "configuration": configuration})
        return rows

    def scan(self, api: Row, task: str) -> Row:
        """The decoded report of a scan: form 2 for the APIs that divide by three, form 3 for the others."""
        return self._scan_v2(api["n"], task) if api["n"] % 3 == 0 else self._scan_v3(api["n"], task)

    def old(self, api: Row) -> bool:
        """Whether the second version of the address refuses the API's reports."""
        return bool(api["n"] % 9 == 6)

    def _scan_v2(self, n: int, task: str) -> Row:
        secret = planted("bearer", task)
        paths: Row = {}
        for p in range(1 + n % 2):
            for v, verb in enumerate(VERBS):
                tests = [self._test_v2(n, p, v, k, secret) for k in range((n + v) % 3)]
                paths.setdefault(f"/orders/{{id}}/{p}", {})[verb] = {
                    "checked": bool(tests),
                    **({} if tests else {"reason": "operation-happy-path-failed"}),
                    "totalRequest": len(tests),
                    "totalExpected": 0,
                    "totalUnexpected": len(tests),
                    "totalFailure": 0,
                    "curlHappyPath": f"curl -H 'Authorization: Bearer {secret}'",
                    "happyPath": {"key": "happy-path-success", "curl": f"curl -H 'X-Key: {secret}'"},
                    # Where nothing was tested there is no list.
                    **({"issues": tests} if tests else {}),
                }
        return {
            "indexed": True,
            "index": {"jsonPointers": INDEX[1:], "injectionKeys": TESTS, "responseKeys": ["response-successful-scan"]},
            "scanVersion": "1.18.0",
            "scanReportVersion": "2.2.2",
            "host": "https://API.example.com/v1",
            "summary": {
                "startDate": rfc3339(self.ago(days=n % 45, hours=2), 9),
                "endDate": rfc3339(self.ago(days=n % 45, hours=1), 9),
                "state": "finished",
                "exitCode": 0,
                "totalRequest": 7,
                "estimatedTotalRequest": 9,
                "criticality": n % 6,
                # Unexpected responses, which are more than the issues.
                "issues": n % 4 + 90,
                **{f"{level}Issues": n % (k + 2) for k, level in enumerate(LEVELS[:0:-1])},
            },
            "paths": paths,
        }

    def _test_v2(self, n: int, p: int, v: int, k: int, secret: str) -> Row:
        return {
            "id": uuid("test", n, p, v, k),
            "injectionKey": (n + k) % 3,
            "jsonPointer": (n + v + k) % 5,
            "criticality": (n + v + k) % 6,
            "owaspMapping": (n + k) % 11,
            "apiResponseAnalysis": [{"responseKey": 0}],
            "responseHttpStatusCode": 200 + k,
            "url": f"https://api.example.com/v1/orders/{n}/{p}",
            "curl": f"curl -H 'Authorization: Bearer {secret}' https://api.example.com/v1/orders",
            "responseHttp": f"HTTP/1.1 200 OK\r\nSet-Cookie: session={secret}",
            "responseBody": {"token": secret},
        }

    def _scan_v3(self, n: int, task: str) -> Row:
        secret = planted("cookie", task)
        keys = ["authentication-swapping-bola", "authentication-swapping-bfla", "schema-pattern-scan"]
        operations = {}
        for k in range(2):
            kinds = {
                "conformanceRequestsResults": [self._test_v3(keys[2], n + k, secret)] if k else [],
                "authorizationRequestsResults": [self._test_v3(key, n + j, secret) for j, key in enumerate(keys[:2])],
            }
            operations[f"op {n}.{k}"] = {
                "operationId": f"op {n}.{k}",
                "path": f"/orders/{{id}}/{k}",
                "method": VERBS[k].upper(),
                "scenarios": [{"requests": [{"response": {"rawPayload": secret}}]}],
                **kinds,
            }
        issues = {"total": n % 5, **{level: n % (k + 2) for k, level in enumerate(LEVELS[:0:-1])}}
        return {
            "scanVersion": "2.0.3",
            "scanReportVersion": "3.0.1",
            "summary": {
                "startDate": rfc3339(self.ago(days=n % 45, hours=2), 6),
                "endDate": rfc3339(self.ago(days=n % 45, hours=1), 6),
                "state": "apiUnreachable" if n % 2 else "success",
                "exitCode": n % 2,
                "issues": issues,
            },
            "operations": operations,
        }

    def _test_v3(self, key: str, n: int, secret: str) -> Row:
        # In six tests every criticality comes once; what went well has none.
        good = n % 6 == 0
        outcome = {"status": "correct" if good else "defective", "testSuccessful": False, "criticality": n % 6}
        return {
            "test": {"key": key},
            "outcome": outcome,
            "request": {"curl": f"curl -H 'Cookie: {secret}'"},
            "response": {"rawPayload": planted("payload", secret)},
        }

    def secrets(self) -> list[str]:
        """What scan reports hold of other people's sign-in, and their logs."""
        tasks = [row["report"]["taskId"] for api in self.apis for row in self.scans(api)]
        kinds = [planted(kind, task) for task in tasks for kind in ("bearer", "cookie", "log")]
        return kinds + [planted("payload", planted("cookie", task)) for task in tasks]
