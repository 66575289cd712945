"""A stand-in of the 42Crunch platform that behaves over HTTP as its public clients describe it, traps included."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.vendors.crunch_inventory import Row, planted, uuid
from tests.vendors.crunch_reports import Reports, packed
from tests.vendors.server import Answer, Asked, Refusal, Server

ROUTES: list[tuple[str, str, set[str]]] = [
    # path, handler, query fields
    (r"/api/v[12]/collections", "collections", {"listOption", "page", "perPage"}),
    (r"/api/v1/collections/(?P<cid>[^/]+)", "collection", {"readOwner"}),
    (r"/api/v1/collections/(?P<cid>[^/]+)/users", "users", set()),
    (r"/api/v2/collections/(?P<cid>[^/]+)/apis", "apis", {"withTags", "page", "perPage"}),
    (r"/api/v1/apis/(?P<aid>[^/]+)", "api", {"specfile"}),
    (r"/api/v1/apis/(?P<aid>[^/]+)/assess", "assess", set()),
    (r"/api/v1/apis/(?P<aid>[^/]+)/assessmentreport", "audit_report", set()),
    (r"/api/v2/sqgs/audit/reportComplianceStatus/(?P<tid>[^/]+)", "compliance", {"readSqg", "readReport"}),
    (r"/api/v2/apis/(?P<aid>[^/]+)/scanReports", "scan_reports", set()),
    (r"/api/(?P<version>v[12])/scanReports/(?P<tid>[^/]+)", "scan_report", set()),
    (r"/api/v2/apis/(?P<aid>[^/]+)/scanConfigurations", "scan_configurations", set()),
    (r"/api/v2/scanConfigurations/(?P<id>[^/]+)", "scan_configuration", set()),
    (r"/api/v2/sqgs/audit", "audit_gates", set()),
    (r"/api/v2/sqgs/scan", "scan_gates", set()),
    (r"/api/v2/tags", "tags", set()),
    (r"/api/v2/categories", "categories", set()),
    (r"/api/v2/dataDictionaries", "dictionaries", set()),
    (r"/api/v2/dataDictionaries/(?P<id>[^/]+)/formats", "formats", set()),
]


def error(status: int, code: int, message: str) -> Answer:
    """An error in the platform's form."""
    return Answer.json({"code": code, "message": message}, status, x_42c_transactionid=uuid("transaction", message))


def missing() -> Refusal:
    """There is no such thing."""
    return Refusal(error(404, 5, "no result"))


class Crunch(Server):
    """One organization behind an API token.

    `max_page` bounds what perPage may ask for (how far the platform goes is not public). `refusal_status` is the
    status under which an old scan report says "invalid authorization".
    """

    def __init__(
        self, world: Reports | None = None, *, max_page: int = 1000, refusal_status: int = 200, port: int = 0
    ) -> None:
        super().__init__(port)
        self.world = world or Reports()
        self.max_page, self.refusal_status = max_page, refusal_status
        self.token = f"api_{uuid('token')}"
        self.expired = False
        self.harm: list[str] = []
        """Calls that start work, write, or hand out tokens."""

    def secrets(self) -> list[str]:
        """Everything that no output, log or store may hold."""
        tokens = [planted("scan token", api["n"]) for api in self.world.apis]
        return [self.token, uuid("token"), *tokens, *self.world.secrets()]

    def refusal(self, status: int) -> Answer:
        return error(status, status, f"Planned fault {status}.")

    def answer(self, asked: Asked) -> Answer:
        if asked.method != "GET":
            self.harm.append(f"{asked.method} {asked.path}")
        sent = asked.headers.get("x-api-key", "")
        if self.expired or sent != self.token:
            return error(401, 3, "token expired" if sent == self.token else "unauthorized")
        for path, handler, allowed in ROUTES:
            if asked.method == "GET" and (found := re.fullmatch(path, asked.path)):
                query = dict(asked.query)
                if unknown := query.keys() - allowed:
                    return error(400, 1, f"the stand-in knows no query field {sorted(unknown)}")
                answer: Callable[..., Any] = getattr(self, f"_{handler}")
                told = answer(query, **found.groupdict())
                return told if isinstance(told, Answer) else Answer.json(told)
        return error(404, 5, "no result")

    def _api_of(self, aid: str) -> Row:
        for api in self.world.apis:
            if api["desc"]["id"] == aid:
                return api
        raise missing()

    def _page(self, rows: list[Row], query: dict[str, str]) -> Row:
        """`num` is the number of all; perPage=0 asks for all; without perPage there are ten."""
        page, size = int(query.get("page", "1")), int(query.get("perPage", "10"))
        if page < 1 or size < 0:
            raise Refusal(error(400, 1, "bad page"))
        size = min(size, self.max_page) if size else len(rows)
        return {"num": len(rows), "list": rows[(page - 1) * size :][:size]}

    # What is answered

    def _collections(self, query: dict[str, str]) -> Row:
        return self._page(self.world.collections, query)

    def _collection(self, query: dict[str, str], cid: str) -> Row:
        return self.world.collections[self._number(cid)]

    def _number(self, cid: str) -> int:
        for i, row in enumerate(self.world.collections):
            if row["desc"]["id"] == cid:
                return i
        raise missing()

    def _users(self, query: dict[str, str], cid: str) -> list[Row]:
        return self.world.users(self._number(cid))

    def _apis(self, query: dict[str, str], cid: str) -> Row:
        self._number(cid)
        return self._page(self.world.listed(cid, tags=query.get("withTags") == "true"), query)

    def _api(self, query: dict[str, str], aid: str) -> Row:
        return {k: v for k, v in self._api_of(aid).items() if k != "n"}

    def _assess(self, query: dict[str, str], aid: str) -> Row:
        self.harm.append(f"assess {aid}")
        return {"tid": uuid("started", aid)}

    def _audit_report(self, query: dict[str, str], aid: str) -> Row:
        api = self._api_of(aid)
        if not self.world.audited(api):
            raise missing()
        return self.world.audit_envelope(api)

    def _compliance(self, query: dict[str, str], tid: str) -> Row:
        for api in self.world.apis:
            if self.world.audited(api) and self.world.audit_task(api) == tid:
                told = self.world.compliance(api)
                return told if query.get("readSqg") == "true" else {k: v for k, v in told.items() if k != "sqgsDetail"}
        raise missing()

    def _scan_reports(self, query: dict[str, str], aid: str) -> Row:
        return {"list": self.world.scans(self._api_of(aid))}

    def _scan_report(self, query: dict[str, str], version: str, tid: str) -> Answer:
        for api in self.world.apis:
            if tid in [row["report"]["taskId"] for row in self.world.scans(api)]:
                if self.world.old(api) and version == "v2":
                    return Answer.json({"message": "invalid authorization"}, self.refusal_status)
                # A report is found in `file`, in `data` where it is older.
                name = "data" if api["n"] % 4 == 3 else "file"
                log = packed({"log": planted("log", tid)})
                return Answer.json({name: packed(self.world.scan(api, tid)), "logFile": log})
        raise missing()

    def _scan_configurations(self, query: dict[str, str], aid: str) -> Row:
        n = self._api_of(aid)["n"]
        return {"list": [{"configuration": {"id": uuid("configuration", n), "name": f"Scan {n}"}}]}

    def _scan_configuration(self, query: dict[str, str], id: str) -> Row:
        self.harm.append(f"token {id}")
        n = next(api["n"] for api in self.world.apis if uuid("configuration", api["n"]) == id)
        return {"file": packed({}), "token": planted("scan token", n)}

    def _audit_gates(self, query: dict[str, str]) -> Row:
        return {"list": self.world.audit_gates}

    def _scan_gates(self, query: dict[str, str]) -> Row:
        return {"list": self.world.scan_gates}

    def _tags(self, query: dict[str, str]) -> Row:
        return {"list": self.world.tags}

    def _categories(self, query: dict[str, str]) -> Row:
        return {"list": self.world.categories}

    def _dictionaries(self, query: dict[str, str]) -> Row:
        return {"list": self.world.dictionaries or None}

    def _formats(self, query: dict[str, str], id: str) -> Row:
        if id != "standard" and id not in {row["id"] for row in self.world.dictionaries}:
            raise missing()
        return {"formats": self.world.formats(id)}
