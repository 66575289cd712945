"""A stand-in of Apigee and API hub that behaves over HTTP as the vendor's documents say, traps included."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.vendors.apigee_calls import Call, bad, route
from tests.vendors.apigee_inventory import Row
from tests.vendors.apigee_truth import METRICS, World
from tests.vendors.google import SignIn, error, error_info
from tests.vendors.server import Answer, Asked, Refusal, Server

TERM = re.compile(r'\s*(first_detected_time|last_detected_time|api_proxy)\s*(>=|<=|>|<|=)\s*"([^"]*)"\s*')
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
}


class Apigee(Server):
    """One organization behind Google's sign-in.

    `max_page` bounds what pageSize may ask for and `max_count` what count and rows may; both stand for the vendor's
    1,000. With `addons_off=400` the missing security add-on is answered as FAILED_PRECONDITION instead of 403.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        max_page: int = 1000,
        max_count: int = 1000,
        expires_in: int = 3599,
        addons_off: int = 403,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.world = world or World()
        self.max_page, self.max_count, self.addons_off = max_page, max_count, addons_off
        self.sign_in = SignIn(self.world.project, clock=clock, expires_in=expires_in)

    @property
    def base_url(self) -> str:
        """What stands in place of https://apigee.googleapis.com/v1."""
        return f"{self.url}/v1"

    @property
    def hub_url(self) -> str:
        """The base of API hub, with project and location."""
        return f"{self.base_url}/{self.world.hub}"

    @property
    def token_uri(self) -> str:
        """Where assertions are traded; also the audience they must name."""
        return f"{self.url}/token"

    def service_account(self) -> dict[str, str]:
        """The key file of an account that may read everything here."""
        return self.sign_in.account(self.token_uri)

    def kill_tokens(self, after: int = 0) -> None:
        """Let all tokens die, at once or after so many more calls; new ones can be had."""
        self.sign_in.kill(after)

    def truth(self, traffic: tuple[datetime, datetime] | None = None) -> dict[str, list[Row]]:
        """What a right collection sees; see World.truth."""
        return self.world.truth(traffic)

    def secrets(self) -> list[str]:
        """Everything that no output, log or store may hold."""
        return self.world.secrets() + self.sign_in.secrets(self.token_uri)

    def refusal(self, status: int) -> Answer:
        return error(status, f"Planned fault {status}.", name="" if status != 502 else "UNAVAILABLE")

    def answer(self, asked: Asked) -> Answer:
        if (asked.method, asked.path) == ("POST", "/token"):
            return self.sign_in.token(asked, self.token_uri)
        handler, names, allowed = route(asked)
        service = "apihub" if "project" in names else "apigee"
        rpc = f"google.cloud.{service}.v1.{handler.title()}"
        self.sign_in.check(asked, {"service": f"{service}.googleapis.com", "method": rpc})
        here = {"org": self.world.organization, "project": self.world.project, "location": self.world.location}
        for name, value in names.items():
            if here.get(name, value) != value:
                # Google does not tell what exists from what is closed.
                details = error_info("IAM_PERMISSION_DENIED", {"resource": f"{name}/{value}"})
                raise Refusal(error(403, f'Permission denied on "{value}" (or it may not exist).', details=details))
        for name, _ in asked.query:
            if name not in allowed:
                raise bad(f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.')
        if "env" in names:
            self._found(self.world.environments, name=names["env"])
        answer = getattr(self, f"_{handler}")(Call(asked, {**dict(asked.query), **names}))
        # An empty list is left out, so that a list with nothing in it is {}.
        return answer if isinstance(answer, Answer) else Answer.json({k: v for k, v in answer.items() if v != []})

    def _found(self, rows: list[Row], **key: str) -> Row:
        [(field, value)] = key.items()
        for row in rows:
            if row[field] == value:
                return row
        raise Refusal(error(404, f'generic::not_found: "{value}" does not exist.'))

    def _require_addon(self, env: str) -> None:
        if env not in self.world.secured:
            message = f"Advanced API Security is not enabled for environment {env}."
            raise Refusal(error(self.addons_off, message, name="FAILED_PRECONDITION" if self.addons_off == 400 else ""))

    # What is answered

    def _organizations(self, call: Call) -> Row:
        names = {"organization": self.world.organization, "projectId": self.world.project}
        return {"organizations": [{**names, "projectIds": [self.world.project]}]}

    def _environments(self, call: Call) -> Answer:
        return Answer.json([env["name"] for env in self.world.environments])

    def _environment(self, call: Call) -> Row:
        return self._found(self.world.environments, name=call.text("env"))

    def _addons(self, call: Call) -> Row:
        security = {"enabled": True} if call.text("env") in self.world.secured else {}
        return {"analyticsConfig": {"enabled": True, "state": "ENABLED"}, "apiSecurityConfig": security}

    def _proxies(self, call: Call) -> Row:
        return {"proxies": self._described(call, self.world.proxies)}

    def _sharedflows(self, call: Call) -> Row:
        return {"sharedFlows": self._described(call, self.world.sharedflows)}

    def _described(self, call: Call, rows: list[Row]) -> list[Row]:
        """Without the two flags only names are told."""
        if call.flag("includeRevisions") and call.flag("includeMetaData"):
            return rows
        revisions = ("revision", "latestRevisionId") if call.flag("includeRevisions") else ()
        shown = {"name", *revisions, *(["metaData"] if call.flag("includeMetaData") else [])}
        return [{k: v for k, v in row.items() if k in shown} for row in rows]

    def _proxy(self, call: Call) -> Row:
        return self._found(self.world.proxies, name=call.text("api"))

    def _revisions(self, call: Call) -> Answer:
        return Answer.json(self._proxy(call)["revision"])

    def _revision(self, call: Call) -> Row:
        row = self.world.revision(call.text("api"), call.text("revision"))
        return row or self._found([], name=call.text("revision"))

    def _deployments(self, call: Call) -> Answer:
        flows, env = call.flag("sharedFlows"), call.text("env")
        rows = self.world.flow_deployments if flows else self.world.deployments
        rows = [row for row in rows if env in ("", row["environment"])]
        # An environment without deployments was seen to answer a bare empty list.
        return Answer.json({"deployments": rows} if rows else ([] if env else {}))

    def _envgroups(self, call: Call) -> Row:
        return call.page("environmentGroups", self.world.envgroups, 25, self.max_page)

    def _attachments(self, call: Call) -> Row:
        group = self._found(self.world.envgroups, name=call.text("group"))["name"]
        rows = [row for row in self.world.attachments if row["environmentGroupId"] == group]
        return call.page("environmentGroupAttachments", rows, 25, self.max_page)

    def _apiproducts(self, call: Call) -> Row:
        rows = call.page_from_key(self.world.apiproducts, "name", at_most=self.max_count)
        return {"apiProduct": rows if call.flag("expand") else [{"name": row["name"]} for row in rows]}

    def _apiproduct(self, call: Call) -> Row:
        return self._found(self.world.apiproducts, name=call.text("product"))

    def _developers(self, call: Call) -> Row:
        if call.flag("expand") and ("count" in call.values or "startKey" in call.values):
            raise bad("expand is not valid together with count or startKey.")
        if "startKey" in call.values and "count" not in call.values:
            raise bad("startKey must be used in conjunction with count.")
        rows = call.page_from_key(self.world.developers, "email", at_most=self.max_count)
        return {"developer": rows if call.flag("expand") else [{"email": row["email"]} for row in rows]}

    def _developer(self, call: Call) -> Row:
        return self._found(self.world.developers, email=call.text("email"))

    def _apps(self, call: Call) -> Row:
        rows = self.world.apps_with(call.text("status") or "approved", call.text("keyStatus") or "approved")
        if not call.flag("expand"):
            rows = [{"appId": row["appId"], "name": row["name"]} for row in rows]
        elif call.text("includeCred") == "false":
            rows = [{k: v for k, v in row.items() if k != "credentials"} for row in rows]
        if "rows" in call.values or "startKey" in call.values:
            return {"app": call.page_from_key(rows, "appId", "rows", at_most=self.max_count)}
        return call.page("app", rows, 1000, self.max_page) | ({"totalSize": len(rows)} if rows else {})

    def _app(self, call: Call) -> Row:
        return self._found(self.world.apps, appId=call.text("app"))

    def _incidents(self, call: Call) -> Row:
        self._require_addon(call.text("env"))
        rows = self.world.incidents(call.text("env"))
        for term in call.text("filter").split(" AND ") if call.text("filter") else []:
            rows = self._filtered(rows, term, call.text("env"))
        return call.page("securityIncidents", rows, 50, self.max_page)

    def _filtered(self, rows: list[Row], term: str, env: str) -> list[Row]:
        parsed = TERM.fullmatch(term)
        if not parsed:
            raise bad(f"Invalid filter: {term}")
        field, operator, value = parsed.groups()
        if field == "api_proxy":
            proxies = self.world.attacked(env)
            return [row for row in rows if COMPARE[operator](proxies[row["name"]], value)]
        name = {"first_detected_time": "firstDetectedTime", "last_detected_time": "lastDetectedTime"}[field]
        try:
            edge = datetime.fromisoformat(value)
            return [row for row in rows if COMPARE[operator](datetime.fromisoformat(row[name]), edge)]
        except (ValueError, TypeError):  # no time, or one without an offset
            raise bad(f"Invalid filter: {value} is not an RFC 3339 timestamp.") from None

    def _actions(self, call: Call) -> Row:
        self._require_addon(call.text("env"))
        return call.page("securityActions", self.world.actions(call.text("env")), 50, self.max_page)

    def _assessments(self, call: Call) -> Row:
        try:
            body = json.loads(call.asked.body)
        except ValueError:
            raise bad("Invalid JSON payload received.") from None
        names = {"include_all_resources": "includeAllResources", "page_size": "pageSize", "page_token": "pageToken"}
        body = {names.get(name, name): value for name, value in body.items()}
        for name in body.keys() - {"profile", "scope", "includeAllResources", "include", "pageSize", "pageToken"}:
            raise bad(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
        if body.get("profile") != "google-default":
            raise Refusal(error(404, f'Security profile "{body.get("profile", "")}" does not exist.'))
        if ("includeAllResources" in body) == ("include" in body):
            raise bad("Exactly one of include and includeAllResources must be set.")
        env = self._found(self.world.environments, name=str(body.get("scope", "")))["name"]
        self._require_addon(env)
        wanted = {item["name"] for item in body.get("include", {}).get("resources", [])}
        rows = [r for r in self.world.assessments(env) if not wanted or r["resource"]["name"] in wanted]
        page = Call(call.asked, body).page("securityAssessmentResults", rows, 50, self.max_page)
        return {**page, "assessmentTime": self.world.now.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _conditions(self, call: Call) -> Row:
        if not self.world.secured:
            self._require_addon("any")
        if call.text("filter") or call.text("riskAssessmentType") not in ("", "APIGEE"):
            raise bad("The stand-in knows conditions of Apigee only, and no filter of them.")
        return call.page("securityMonitoringConditions", self.world.conditions, 50, self.max_page)

    def _stats(self, call: Call) -> Row:
        if call.text("dimensions") != "apiproxy":
            raise bad(f"Invalid dimension {call.text('dimensions')}.")
        selected = re.sub(r"\s", "", call.text("select")).split(",")
        if not set(selected) <= set(METRICS):
            raise bad(f"Invalid metric in select: {call.text('select')}.")
        if call.text("timeUnit") not in ("", "day"):
            raise bad(f"Invalid timeUnit {call.text('timeUnit')}.")
        try:
            start, end = (
                datetime.strptime(t, "%m/%d/%Y %H:%M").replace(tzinfo=UTC) for t in call.text("timeRange").split("~")
            )
        except ValueError:
            raise bad("timeRange must be MM/DD/YYYY HH:MM~MM/DD/YYYY HH:MM.") from None
        rows = self.world.traffic(call.text("env"), start, end, by_day=call.text("timeUnit") == "day")
        offset = call.number("offset", 0)
        page = rows[offset : offset + min(call.number("limit", self.max_page), self.max_page)]
        shown = []
        for row in page:
            metrics = [m for m in row["metrics"] if m["name"] in selected]
            if call.flag("tsAscending"):
                metrics = [{**m, "values": m["values"][::-1]} for m in metrics]
            shown.append({**row, "metrics": metrics})
        env = {"name": call.text("env")} | ({"dimensions": shown} if shown else {})
        return {"environments": [env], "metaData": {"notices": ["Source:Postgres", "Table used: stand-in"]}}

    def _observations(self, call: Call) -> Row:
        return call.page("discoveredApiObservations", self.world.observations, 10, self.max_page)

    def _operations(self, call: Call) -> Row:
        name = f"{self.world.hub}/discoveredApiObservations/{call.text('id')}"
        self._found(self.world.observations, name=name)
        return call.page("discoveredApiOperations", self.world.operations(name), 10, self.max_page)


def main() -> None:
    """Serve until interrupted; the organization's `now` is the real one."""
    parser = argparse.ArgumentParser(prog="python -m tests.vendors.apigee", description=main.__doc__)
    parser.add_argument("key_file", type=Path, help="where to write the service account's key file")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--max-page", type=int, default=1000)
    chosen = parser.parse_args()
    world = World(now=datetime.now(UTC).replace(second=0, microsecond=0))
    with Apigee(world, port=chosen.port, max_page=chosen.max_page) as vendor:
        with open(os.open(chosen.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(vendor.service_account(), file, indent=2)
        lines = {"base_url": vendor.base_url, "apihub_base_url": vendor.hub_url, "token_url": vendor.token_uri}
        lines |= {"organization": world.organization, "service_account": str(chosen.key_file)}
        sys.stdout.write("".join(f"{name}: {value}\n" for name, value in lines.items()))
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
