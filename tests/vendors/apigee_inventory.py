"""The management side of a made-up Apigee organization: environments, proxies, products, developers, apps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar, cast
from uuid import NAMESPACE_URL, uuid5

Row = dict[str, Any]
T = TypeVar("T")

ANCHOR = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DOMAINS = ["orders", "payments", "accounts", "catalog", "claims", "pricing"]
DOMAINS += ["shipping", "identity", "loyalty", "search", "partners", "reports"]
KINDS = ["v1", "v2", "internal", "callbacks", "export_batch"]
POLICIES = [
    ["Verify-API-Key", "Spike-Arrest", "JSON-Threat-Protection"],
    ["OAuth-v2-Verify", "Quota-1", "CORS"],
    ["Assign-Message-1", "Extract-Variables"],
    ["JWT-Verify", "Spike-Arrest", "Regex-Protection", "Assign-Message-1"],
    [],
]
# Letters that an address may hold and that a path or a query must escape.
ODD_EMAILS = ["ana+test", "sam%ops", "o'neil", "r&d#1", "why?", "a=b", "zoë", "mixed.Case"]


def wire(value: T) -> T:
    """The value as proto3 sends it: members that hold their default are dropped, empty messages stay."""
    dropped: Any = value
    if isinstance(value, dict):
        dropped = {k: wire(v) for k, v in value.items() if v not in (None, False, 0, "") and v != []}
    elif isinstance(value, list):
        dropped = [wire(item) for item in value]
    return cast(T, dropped)


def int64(number: int) -> str | None:
    """An int64 is sent as text; zero is a default and not sent."""
    return str(number) if number else None


def epoch_ms(when: datetime) -> str:
    """Milliseconds since 1970 as text."""
    return str(int(when.timestamp()) * 1000 + when.microsecond // 1000)


def rfc3339(when: datetime, digits: int = 0) -> str:
    """UTC with 0, 3, 6 or 9 digits after the second, as protobuf prints it."""
    fraction = f".{when.microsecond:06d}000"[: digits + 1] if digits else ""
    return f"{when:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def uuid(*words: object) -> str:
    """An id that is the same in every run."""
    return str(uuid5(NAMESPACE_URL, "/".join(map(str, words))))


def planted(kind: str, *words: object) -> str:
    """A secret that a search can find; its letters change under URL escaping."""
    return f"PLANTED-{kind}/{uuid(kind, *words).replace('-', '+')}="


@dataclass(frozen=True)
class Inventory:
    """One organization, the same for the same `now`; lists are in the order the vendor answers them."""

    now: datetime = ANCHOR
    organization: str = "acme-gateway"  # an organization need not be named like its project
    project: str = "acme-project-1"
    location: str = "europe-west1"
    secured: frozenset[str] = field(default=frozenset({"prod", "staging", "test", "dr.2"}))
    """Environments with the security add-on; a Base environment cannot have it."""

    def ago(self, days: float = 0, **more: float) -> datetime:
        """So long before now."""
        return self.now - timedelta(days=days, **more)

    @cached_property
    def environments(self) -> list[Row]:
        """Four with something in them and one, dr.2, with nothing."""
        kinds = {"prod": "COMPREHENSIVE", "staging": "INTERMEDIATE", "test": "INTERMEDIATE"}
        kinds |= {"sandbox": "BASE", "dr.2": "COMPREHENSIVE"}
        return wire(
            [
                {
                    "name": name,
                    "displayName": name.title(),
                    "state": "UPDATING" if name == "dr.2" else "ACTIVE",
                    "type": kind,
                    "deploymentType": "PROXY",
                    "apiProxyType": "PROGRAMMABLE",
                    "hasAttachedFlowHooks": name == "prod",
                    "properties": {"property": [{"name": "features.analytics", "value": "true"}]},
                    "createdAt": epoch_ms(self.ago(1200 - 90 * i)),
                    "lastModifiedAt": epoch_ms(self.ago(30 + i, milliseconds=i)),
                }
                for i, (name, kind) in enumerate(kinds.items())
            ]
        )

    @cached_property
    def proxies(self) -> list[Row]:
        """Sixty; revisions are in no order, and the latest is the greatest as a number, not as text."""
        return [self._proxy(i, f"{DOMAINS[i % 12]}-{KINDS[i // 12]}") for i in range(60)]

    def _proxy(self, i: int, name: str) -> Row:
        latest = 1 + (i * 7) % 12
        return wire(
            {
                "name": name,
                "apiProxyType": "CONFIGURABLE" if i % 17 == 0 else "PROGRAMMABLE",
                "revision": [str(r) for r in sorted(range(1, latest + 1), key=lambda r: (r * 5) % 13)],
                "latestRevisionId": str(latest),
                "readOnly": i % 13 == 0,
                "labels": {"team": f"team-{i % 7}"} if i % 3 else None,
                "space": "retail" if i % 11 == 0 else "",
                "metaData": {
                    "createdAt": epoch_ms(self.ago(900 - i)),
                    "lastModifiedAt": epoch_ms(self.ago(i % 50, milliseconds=137)),
                    "subType": "Proxy",
                },
            }
        )

    def revision(self, name: str, revision: str) -> Row | None:
        """One revision of a proxy, or None where there is none."""
        i = next((i for i, proxy in enumerate(self.proxies) if proxy["name"] == name), -1)
        if i < 0 or revision not in self.proxies[i]["revision"]:
            return None
        number = int(revision)
        created = epoch_ms(self.ago(800 - i - number))
        return wire(
            {
                "basepaths": [f"/{name.replace('-', '/')}"] + ([f"/{name}/{{tenant}}"] if i % 9 == 0 else []),
                "configurationVersion": {"majorVersion": 4},
                "createdAt": created,
                "entityMetaDataAsProperties": {"bundle_type": "zip", "createdAt": created, "subType": "Proxy"},
                "lastModifiedAt": epoch_ms(self.ago(i % 50)),
                "name": name,
                "revision": revision,
                "description": f"{name} <script>alert('r{revision}')</script>" if i % 20 == 3 else "",
                "hasExtensiblePolicy": i % 8 == 0,
                "mcp": i % 30 == 4,
                "policies": POLICIES[(i + number) % 5],
                "proxies": ["default"],
                "proxyEndpoints": ["default"],
                "targetEndpoints": ["default"],
                "targetServers": [f"{name}-backend"] if i % 2 else [],
                "targets": ["default"],
                "sharedFlows": ["auth-check"] if i % 6 == 4 else [],
                "resourceFiles": {},
                "resources": ["jsc://log.js"] if i % 4 == 0 else [],
                "spec": f"https://specs.acme.example/{name}.yaml" if i % 5 == 0 else "",
                "type": "Application",
            }
        )

    @cached_property
    def proxy_revisions(self) -> list[Row]:
        """The latest of each proxy and any other that is deployed."""
        wanted = {(p["name"], p["latestRevisionId"]) for p in self.proxies}
        wanted |= {(d["apiProxy"], d["revision"]) for d in self.deployments}
        return [row for name, number in sorted(wanted) if (row := self.revision(name, number))]

    @cached_property
    def deployments(self) -> list[Row]:
        """One row for each environment and proxy; in prod some lag behind the latest revision."""
        rows: list[Row] = []
        for i, proxy in enumerate(self.proxies):
            latest = int(proxy["latestRevisionId"])
            places = {"prod": i % 4 != 0, "staging": i % 3 == 0, "test": i % 6 == 1, "sandbox": i % 10 == 3}
            for env in (env for env, deployed in places.items() if deployed):
                number = max(1, latest - 1) if env == "prod" and i % 5 == 1 else latest
                rows.append(self._deployment(env, proxy["name"], number, i))
        return rows

    def _deployment(self, env: str, name: str, revision: int, i: int) -> Row:
        account = f"projects/-/serviceAccounts/runtime@{self.project}.iam.gserviceaccount.com"
        return wire(
            {
                "environment": env,
                "apiProxy": name,
                "revision": str(revision),
                "deployStartTime": epoch_ms(self.ago(i % 40, milliseconds=i)),
                "serviceAccount": account if i % 4 == 1 else "",
                "proxyDeploymentType": "EXTENSIBLE" if i % 8 == 0 else "STANDARD",
            }
        )

    @cached_property
    def sharedflows(self) -> list[Row]:
        """Eight flows."""
        names = ["auth-check", "log-all", "cors", "errors", "quota", "mask", "trace", "unused"]
        dates = {"createdAt": epoch_ms(self.ago(700)), "lastModifiedAt": epoch_ms(self.ago(70))}
        return [
            {
                "name": name,
                "revision": ["10", "9"] if name == "mask" else ["1"],
                "latestRevisionId": "10" if name == "mask" else "1",
                "metaData": {**dates, "subType": "SharedFlow"},
            }
            for name in names
        ]

    @cached_property
    def flow_deployments(self) -> list[Row]:
        """Shared flows in prod, listed only when asked for; their name stands under `apiProxy`."""
        return [self._deployment("prod", flow["name"], 1, i) for i, flow in enumerate(self.sharedflows[:3])]

    @cached_property
    def envgroups(self) -> list[Row]:
        """Twenty-seven, which is two more than a page holds by default."""
        return [
            {
                "name": f"group-{i:02d}",
                "hostnames": [f"api{i}.acme.example"] + ([f"API-{i}.Acme.Example."] if i % 5 == 0 else []),
                "state": "ACTIVE",
                "createdAt": epoch_ms(self.ago(600 - i)),
                "lastModifiedAt": epoch_ms(self.ago(60 + i)),
            }
            for i in range(27)
        ]

    @cached_property
    def attachments(self) -> list[Row]:
        """One or two environments for each group; the last group has none."""
        names = [env["name"] for env in self.environments]
        return [
            {
                "name": uuid("attachment", group["name"], names[j % 5]),
                "environment": names[j % 5],
                "environmentGroupId": group["name"],
                "createdAt": epoch_ms(self.ago(500 - i)),
            }
            for i, group in enumerate(self.envgroups[:-1])
            for j in range(i, i + 1 + i % 2)
        ]

    @cached_property
    def apiproducts(self) -> list[Row]:
        """Forty-five, in no order of their names, which hold blanks, percent and dollar signs."""
        order = [(i * 19) % 45 for i in range(45)]
        return [self._product(i) for i in order]

    def product_name(self, i: int) -> str:
        """A name of the letters that the vendor allows: A-Z 0-9 . _ - $ % and blank."""
        return f"{DOMAINS[i % 12].title()}{[' Gold', '_basic', ' 100% $', '-v1.0', '%20'][i % 5]} {i // 12}"

    def _product(self, i: int) -> Row:
        access = ["public", "private", "internal", ""][i % 4]
        proxies = [self.proxies[i]["name"], self.proxies[(i + 12) % 60]["name"]]
        quota = {"limit": "100", "interval": "1", "timeUnit": "minute"} if i % 4 == 0 else None
        operations = [{"resource": "/", "methods": ["GET", "POST"]}, {"resource": "/{id}/**"}]
        configs = [{"apiSource": proxy, "operations": operations, "quota": quota} for proxy in proxies]
        return wire(
            {
                "name": self.product_name(i),
                "displayName": f"Product {i} “{DOMAINS[i % 12]}”",
                "approvalType": "manual" if i % 3 == 0 else "auto",
                "attributes": [{"name": "access", "value": access}, {"name": "owner", "value": f"team-{i % 7}"}],
                "environments": ["prod"] if i % 2 else [],
                "proxies": proxies if i % 2 else [],
                "apiResources": ["/", "/**"] if i % 2 else [],
                "operationGroup": None if i % 2 else {"operationConfigType": "proxy", "operationConfigs": configs},
                "scopes": ["read", "write"] if i % 3 else [],
                "quota": str(100 * i) if i % 5 else "",
                "quotaInterval": "1" if i % 5 else "",
                "quotaTimeUnit": "hour" if i % 5 else "",
                "createdAt": epoch_ms(self.ago(400 + i)),
                "lastModifiedAt": epoch_ms(self.ago(40 + i)),
            }
        )

    @cached_property
    def developers(self) -> list[Row]:
        """A hundred and thirty; every sixteenth address needs escaping."""
        return [self._developer(i, self.email(i)) for i in range(130)]

    def email(self, i: int) -> str:
        """The address of the i-th developer."""
        local = ODD_EMAILS[i // 16 % 8] + str(i) if i % 16 == 5 else f"dev{(i * 37) % 130:03d}"
        return f"{local}@partner{i % 9}.example"

    def _developer(self, i: int, email: str) -> Row:
        return wire(
            {
                "email": email,
                "firstName": ["Ana", "Żaneta", "李", "O'Neil"][i % 4],
                "lastName": f"Nr {i}",
                "userName": email.partition("@")[0],
                "developerId": uuid("developer", i),
                "organizationName": self.organization,
                "status": "inactive" if i % 11 == 0 else "active",
                "apps": [app["name"] for app in self.apps if app.get("developerEmail") == email],
                "attributes": [{"name": "cost-center", "value": ""}] if i % 10 == 0 else [],
                "createdAt": epoch_ms(self.ago(1000 - i)),
                "lastModifiedAt": epoch_ms(self.ago(i)),
            }
        )

    @cached_property
    def apps(self) -> list[Row]:
        """Ninety: every ninth is revoked, every twentieth is of an app group; one has no key, six only revoked ones."""
        return [self._app(i) for i in range(90)]

    def apps_with(self, status: str, key_status: str) -> list[Row]:
        """What one query shows: apps of one status, with their keys of one status; without such a key none of it.

        An app that never had a key stands among those with approved keys.
        """
        shown = []
        for app in self.apps:
            keys = app.get("credentials", [])
            left = [key for key in keys if key["status"] == key_status]
            if app["status"] == status and (left or (not keys and key_status == "approved")):
                shown.append({**app, "credentials": left} if keys else app)
        return shown

    def _app(self, i: int) -> Row:
        of_group = i % 20 == 7
        return wire(
            {
                "appId": uuid("app", i),
                "name": f"app {i}" if i % 4 else f"Hungry Bird {i / 10}",
                "status": "revoked" if i % 9 == 4 else "approved",
                "developerId": None if of_group else uuid("developer", i),
                "developerEmail": None if of_group else self.email(i),
                "appGroup": "resellers" if of_group else None,
                "attributes": [{"name": "DisplayName", "value": f"App Nr {i}"}],
                "keyExpiresIn": "-1",
                "credentials": [self._credential(i, k) for k in range(1 + i % 3 if i != 44 else 0)],
                "createdAt": epoch_ms(self.ago(700 - i)),
                "lastModifiedAt": epoch_ms(self.ago(7 + i % 60)),
            }
        )

    def _credential(self, i: int, k: int) -> Row:
        # Every thirtieth app still names a product that is gone.
        product = "Retired Product" if i % 30 == 29 else self.product_name((i + k) % 45)
        status = ["approved", "approved", "pending", "revoked"][(i + k) % 4]
        return {
            "apiProducts": [{"apiproduct": product, "status": status}],
            "consumerKey": planted("consumerKey", i, k),
            "consumerSecret": planted("consumerSecret", i, k),
            "expiresAt": "-1" if (i + k) % 3 else epoch_ms(self.now + timedelta(days=i)),
            "issuedAt": epoch_ms(self.ago(690 - i - k)),
            "scopes": ["read"] if (i + k) % 2 else ["read", "write"],
            "status": "revoked" if (k == 1 and i % 2) or i % 15 == 10 else "approved",
        }
