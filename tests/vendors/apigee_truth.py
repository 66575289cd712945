"""The whole truth of the stand-in of Apigee and API hub: what a right collection must see, stream by stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from tests.vendors.apigee_inventory import Inventory, Row, int64, planted, rfc3339, uuid, wire

METRICS = ["sum(message_count)", "sum(is_error)"]
CHECKS = {"auth-policies-check": "MAJOR", "cors-policies-check": "MODERATE", "threat-policies-check": "MINOR"}


@dataclass(frozen=True)
class World(Inventory):
    """The inventory with what is watched: incidents, actions, assessments, traffic, and what API hub discovered."""

    traffic_days: int = 45

    def incidents(self, env: str) -> list[Row]:
        """Sixty in prod (more than a page), twelve in staging, none elsewhere; in no order of time."""
        path = f"organizations/{self.organization}/environments/{env}/securityIncidents"
        return wire(
            [
                {
                    "name": f"{path}/{uuid('incident', env, i)}",
                    "displayName": f"Incident {i}" if i % 4 else "",
                    "riskLevel": ["LOW", "MODERATE", "SEVERE"][i % 3],
                    "firstDetectedTime": rfc3339(self.ago((i * 7) % 60 + 2), [0, 3, 6][i % 3]),
                    # Neighbours in time share their last second, to the millisecond.
                    "lastDetectedTime": rfc3339(self.ago((i * 7) % 60 // 2, milliseconds=250), [3, 6][i % 2]),
                    "lastObservabilityChangeTime": rfc3339(self.ago(1)) if i % 5 == 0 else None,
                    "trafficCount": int64(i * 9_007_199_254_741 if i % 6 else 0),
                    "detectionTypes": ["Flooder", "OAuth Abuser"][: 1 + i % 2],
                    "observability": "ARCHIVED" if i % 5 == 0 else "ACTIVE",
                }
                for i in range({"prod": 60, "staging": 12}.get(env, 0))
            ]
        )

    def attacked(self, env: str) -> dict[str, str]:
        """The proxy behind each incident, which only a filter by `api_proxy` shows."""
        rows = self.incidents(env)
        return {row["name"]: self.proxies[i % 8]["name"] for i, row in enumerate(rows)}

    def actions(self, env: str) -> list[Row]:
        """Fifty-three in prod; in staging one that is past, one that is off; their conditions hold keys and tokens."""
        path = f"organizations/{self.organization}/environments/{env}/securityActions"
        rows = []
        idle = env == "staging"
        for i in range({"prod": 53, "staging": 2}.get(env, 0)):
            kinds: list[Row] = [
                {"deny": {"responseCode": 403}},
                {"allow": {}},
                {"flag": {"headers": [{"name": "X-Bad"}]}},
            ]
            condition = {"ipAddressRanges": [f"203.0.113.{i}"], "regionCodes": ["XK"] if i % 2 else []}
            if i % 4 == 0:
                condition |= {"apiKeys": [planted("apiKey", env, i)], "accessTokens": [planted("accessToken", env, i)]}
            rows.append(
                {
                    "name": f"{path}/action-{i}",
                    "state": "DISABLED" if i % 4 == 3 or (idle and i) else "ENABLED",
                    "apiProxies": [self.proxies[i]["name"]] if i % 2 else [],
                    "conditionConfig": condition,
                    "createTime": rfc3339(self.ago(100 - i)),
                    "updateTime": rfc3339(self.ago(50 - i / 2, microseconds=1), 9),
                    "expireTime": rfc3339(self.ago(i + 1 if idle else i - 20)) if i % 3 == 0 else None,
                    **kinds[i % 3],
                }
            )
        return wire(rows)

    def assessments(self, env: str) -> list[Row]:
        """One for each proxy deployed there, by name; one failed, some have a score of 0, which is dropped."""
        deployed = [d for d in self.deployments if d["environment"] == env]
        return [self._assessment(i, d) for i, d in enumerate(sorted(deployed, key=lambda d: str(d["apiProxy"])))]

    def _assessment(self, i: int, deployment: Row) -> Row:
        resource = {"type": "API_PROXY", "name": deployment["apiProxy"], "resourceRevisionId": deployment["revision"]}
        row: Row = {"resource": resource, "createTime": rfc3339(self.ago(hours=i), 6)}
        if i == 5:
            return {**row, "error": {"code": 13, "message": "Failed to fetch the bundle of the proxy."}}
        failed = [check for k, check in enumerate(CHECKS) if (i + k) % 4 < 2]
        link = {"text": "Learn more", "uri": "https://cloud.google.com/apigee/docs/api-platform"}
        result = {
            "score": [0, 35, 80, 100][i % 4],
            "severity": ["HIGH", "MEDIUM", "LOW", "MINIMAL"][i % 4],
            "failedAssessmentPerWeight": {CHECKS[check]: 1 for check in failed},
            "assessmentRecommendations": {
                check: {
                    "displayName": check.replace("-", " ").capitalize(),
                    "weight": weight,
                    "verdict": "FAIL" if check in failed else "PASS",
                    "scoreImpact": 30 if check in failed else 0,
                    "recommendations": [{"description": f"Mend {check}.", "link": link}] if check in failed else [],
                }
                for check, weight in CHECKS.items()
            },
            "dataUpdateTime": rfc3339(self.ago(hours=i + 1), 6),
        }
        return wire({**row, "scoringResult": result})

    @cached_property
    def conditions(self) -> list[Row]:
        """Prod in part, staging whole, dr.2 with nothing in it; what is in test and sandbox nobody watches."""
        rows: list[Row] = []
        for i, env in enumerate(name for name in ("prod", "staging", "dr.2") if name in self.secured):
            deployed = sorted(d["apiProxy"] for d in self.deployments if d["environment"] == env)
            chosen = deployed[:10] if env == "prod" else deployed
            included = {"resources": [{"type": "API_PROXY", "name": name} for name in chosen]}
            rows.append(
                {
                    "name": f"organizations/{self.organization}/securityMonitoringConditions/watch-{env}",
                    "createTime": rfc3339(self.ago(200 - i), 6),
                    "updateTime": rfc3339(self.ago(20 + i, microseconds=7), 6),
                    "profile": "google-default",
                    "scope": env,
                    "riskAssessmentType": "APIGEE",
                    "totalMonitoredResources": len(chosen),
                    "totalDeployedResources": len(deployed),
                    **({"include": included} if env == "prod" else {"includeAllResources": {}}),
                }
            )
        return wire(rows)

    def traffic(self, env: str, start: datetime, end: datetime, *, by_day: bool = True) -> list[Row]:
        """One row for each dimension with traffic in [start, end); a day that is cut counts only its hours inside."""
        names = [d["apiProxy"] for d in self.deployments if d["environment"] == env]
        # Calls that matched no proxy are counted under this name.
        names += ["(not set)"] if env == "prod" else []
        rows = []
        for i, name in enumerate(names):
            days = [(day, hours) for day, hours in self._days(start, end) if (day.toordinal() + i) % 7 and i % 9 != 8]
            counts = [(day, hours * (3 + (i * 5 + day.toordinal()) % 20)) for day, hours in days]
            errors = [(day, count * (i % 5) // 100) for day, count in counts]
            if not counts:
                continue
            metrics = [
                {"name": METRICS[0], "values": _values(counts, by_day)},
                {"name": METRICS[1], "values": _values(errors, by_day)},
            ]
            rows.append({"name": name, "individualNames": [name], "metrics": metrics})
        return rows

    def _days(self, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
        """The days on which anything is known, each with its whole hours inside the range."""
        first = self.now.replace(hour=0, minute=0) - timedelta(days=self.traffic_days)
        days = [first + timedelta(days=n) for n in range(self.traffic_days + 1)]
        spans = [(day, min(day + timedelta(days=1), end, self.now) - max(day, start)) for day in days]
        return [(day, int(span.total_seconds()) // 3600) for day, span in spans if span >= timedelta(hours=1)]

    @property
    def hub(self) -> str:
        """The path of the project and location that API hub is asked for."""
        return f"projects/{self.project}/locations/{self.location}"

    @cached_property
    def observations(self) -> list[Row]:
        """Twenty-three discovered APIs, where a page holds ten by default."""
        return wire(
            [
                {
                    "name": f"{self.hub}/discoveredApiObservations/{uuid('observation', i)}",
                    "hostname": f"API{i}.acme.example" if i % 2 else f"10.0.0.{i}:8443",
                    "style": "REST",
                    "origin": self.project,
                    "serverIps": [f"10.1.0.{i}", f"2001:db8::{i:x}"],
                    "sourceLocations": ["europe-west1"],
                    "sourceTypes": ["GCP_XLB"] if i % 3 else ["GCP_XLB", "GCP_ILB"],
                    "apiOperationCount": int64(self._operation_count(i)),
                    "knownOperationsCount": int64(self._operation_count(i) // 3),
                    "unknownOperationsCount": int64(self._operation_count(i) - self._operation_count(i) // 3),
                    "createTime": rfc3339(self.ago(90 - i), 6),
                    "updateTime": rfc3339(self.ago(i), 6),
                    "lastEventDetectedTime": rfc3339(self.ago(i, milliseconds=5), 9),
                }
                for i in range(23)
            ]
        )

    @staticmethod
    def _operation_count(i: int) -> int:
        return {0: 0, 1: 34}.get(i, 1 + i % 6)

    def operations(self, observation: str) -> list[Row]:
        """What was seen of one API: nothing for the first, thirty-four operations for the second."""
        i = next(i for i, row in enumerate(self.observations) if row["name"] == observation)
        return wire(
            [
                {
                    "name": f"{observation}/discoveredApiOperations/{uuid('operation', i, k)}",
                    "classification": "KNOWN" if k < self._operation_count(i) // 3 else "UNKNOWN",
                    "count": int64((k * 977) % 40_000),
                    "httpOperation": {
                        "httpOperation": {
                            "method": ["GET", "POST", "DELETE"][k % 3],
                            "path": {"path": f"/v{i}/items/{{id}}/{k}"},
                        },
                        "pathParams": [{"position": 3, "dataType": "UUID"}],
                        "response": {"responseCodes": {"200": str(k + 1), "404": "1"}},
                    },
                    "createTime": rfc3339(self.ago(80), 6),
                    "updateTime": rfc3339(self.ago(1), 6),
                    "firstSeenTime": rfc3339(self.ago(80 - k, seconds=1)),
                    "lastSeenTime": rfc3339(self.ago(k, seconds=1), 3),
                }
                for k in range(self._operation_count(i))
            ]
        )

    def truth(self, traffic: tuple[datetime, datetime] | None = None) -> dict[str, list[Row]]:
        """Each stream's objects as a right collection sees them, all pages and passes together.

        Keys that begin with an underscore name a parent that the object itself does not tell. `traffic_stats` are
        the objects of one query over the given range (default: all that is known), `traffic_points` the same, flat.
        """
        start, end = traffic or (self.ago(self.traffic_days + 1), self.now)
        secured = [env["name"] for env in self.environments if env["name"] in self.secured]
        stats = [
            {"_environment": env["name"], **row}
            for env in self.environments
            for row in self.traffic(env["name"], start, end)
        ]
        return {
            "environments": self.environments,
            "proxies": self.proxies,
            "proxy_revisions": self.proxy_revisions,
            "deployments": self.deployments,
            "envgroups": self.envgroups,
            "envgroup_attachments": self.attachments,
            "apiproducts": self.apiproducts,
            "developers": self.developers,
            "apps": self.apps,
            "app_credentials": [
                {"_appId": app["appId"], **key} for app in self.apps for key in app.get("credentials", [])
            ],
            "sharedflows": self.sharedflows,
            "security_incidents": [{"_environment": env, **row} for env in secured for row in self.incidents(env)],
            "security_actions": [{"_environment": env, **row} for env in secured for row in self.actions(env)],
            "risk_assessments": [{"_environment": env, **row} for env in secured for row in self.assessments(env)],
            "security_monitoring_conditions": self.conditions,
            "traffic_stats": stats,
            "traffic_points": [
                {"_environment": row["_environment"], "apiproxy": row["name"], "metric": metric["name"], **value}
                for row in stats
                for metric in row["metrics"]
                for value in metric["values"]
            ],
            "hub_observations": self.observations,
            "hub_operations": [op for seen in self.observations for op in self.operations(seen["name"])],
        }

    def secrets(self) -> list[str]:
        """Every planted key, secret and token of the data."""
        keys = [key for app in self.apps for key in app.get("credentials", [])]
        conditions = [row["conditionConfig"] for env in self.environments for row in self.actions(env["name"])]
        held = [key[name] for key in keys for name in ("consumerKey", "consumerSecret")]
        return held + [word for c in conditions for name in ("apiKeys", "accessTokens") for word in c.get(name, [])]


def _values(counts: list[tuple[datetime, int]], by_day: bool) -> list[str] | list[Row]:
    """Numbers as text; newest first, as the vendor sorts unless asked otherwise."""
    if not by_day:
        return [f"{sum(count for _, count in counts)}.0"]
    return [{"timestamp": int(day.timestamp()) * 1000, "value": f"{count}.0"} for day, count in reversed(counts)]
