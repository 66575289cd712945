"""What a run of a page would do, as data: what is needed, who is asked for what in which order, what is made of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from engine.app import sentences
from engine.app.settings import Found
from engine.core.errors import ConfigError, EngineError, Json, Mistake
from engine.core.kinds import Auth
from engine.core.template import Template
from engine.flow import plan as flow
from engine.flow.plan import Asked, Plan
from engine.spec.fields import Limit
from engine.spec.model import Table
from engine.spec.read import Source


def explain(
    source: Source, plan: Plan, found: Found, *, published: Collection[str] = (), verbose: bool
) -> dict[str, Json]:
    """The plan; `published` are the tables there are; `verbose` adds how each column is read."""
    page, connection = plan.pipeline, plan.pipeline.connection
    return {
        "tool": page.tool,
        "title": page.title or page.tool,
        "page": source.document.file,
        "auth": connection.auth.word if connection.auth else "none",
        "base_url": str(_filled(connection.base_url, plan)).rstrip("/"),
        "concurrency": _filled(connection.concurrency, plan),
        "rate_limit": _rates(connection.rate_limit, plan),
        "hosts": _hosts(plan),
        "bounds": _bounds(plan),
        "built_in": sentences.built_in(connection) if verbose else [],
        "params": [
            {
                "name": name,
                "value": found.settings.params[name],
                "from": found.origins[name],
                "optional": param.optional,
                "doc": param.doc,
            }
            for name, param in page.params.items()
        ],
        "secrets": [
            {
                "name": name,
                "set": name in found.settings.secrets,
                "needed": name not in found.spared,
                "optional": one.optional,
                "doc": one.doc,
            }
            for name, one in page.secrets.items()
        ],
        "endpoints": [_endpoint(asked, plan, published, verbose) for asked in plan.endpoints],
        "tables": [_table(name, page.tables.get(name), plan, verbose) for name in plan.tables],
        "reports": [
            {"report": name, "output": output.word, "tables": list(output.tables())}
            for name, output in page.reports.items()
        ],
        "problems": [finding.as_json() for finding in found.problems],
    }


def _filled(value: Any, plan: Plan) -> Json:
    """A setting with what is known filled in; as the page writes it where something in it is not known."""
    if not isinstance(value, Template):
        return value
    try:
        filled = flow.render(value, plan.settings.scope())
    except (ConfigError, Mistake):
        return str(value)
    return str(value) if filled is None else filled


def _rates(limits: list[Limit], plan: Plan) -> list[str]:
    texts = [(str(_filled(limit.rate, plan)), limit.burst) for limit in limits]
    return [rate if burst == 1 else f"{rate} ({burst} at once)" for rate, burst in texts]


def _bounds(plan: Plan) -> list[str]:
    """What ends a request that takes too long, or an answer that is too large, and who stands in between."""
    connection = plan.pipeline.connection
    found = [sentences.patience(connection.timeout), f"a collection ends after {_filled(connection.deadline, plan)}"]
    found += [f"goes through the proxy {_shown(connection.proxy, plan)}"] if connection.proxy else []
    return [*found, f"trusts also {_filled(connection.ca_file, plan)}"] if connection.ca_file else found


def _shown(proxy: Template, plan: Plan) -> str:
    """The address of a proxy without who asks."""
    return str(_filled(proxy, plan)).rpartition("@")[2]


def _base(asked: Asked, plan: Plan) -> str:
    own = asked.endpoint.base_url or plan.pipeline.connection.base_url
    return str(_filled(own, plan)).rstrip("/")


def _hosts(plan: Plan) -> list[str]:
    """Every host that requests may go to: the API's, the sign-in's, and those the page allows besides."""
    addresses = [_url(asked, plan) for asked in plan.endpoints if not asked.skipped and not asked.endpoint.file]
    try:
        auth = plan.auth()
        addresses += auth.hosts() if auth else ()
    except (EngineError, Mistake):
        signs = plan.pipeline.connection.auth
        asks = signs is not None and type(signs).hosts is not Auth.hosts
        addresses += ["the sign-in's, once its secrets are set"] if asks else []
    found = [_host(address) for address in addresses]
    found += [str(_filled(host, plan)) for host in plan.pipeline.connection.allow_hosts]
    return list(dict.fromkeys(found))


def _host(address: str) -> str:
    if "://" not in address or "${" in address.split("/")[2]:
        return address
    return urlsplit(address).netloc


def _url(asked: Asked, plan: Plan) -> str:
    if asked.endpoint.file:
        return str(_filled(asked.endpoint.file.path, plan))
    job = asked.endpoint.job
    first = (job.create or job.poll) if job else None
    path = str(_filled((first.way[1] if first else asked.endpoint.path) or "", plan))
    return path if path.startswith(("http://", "https://")) else _base(asked, plan) + path


def _endpoint(asked: Asked, plan: Plan, published: Collection[str], verbose: bool) -> dict[str, Json]:
    endpoint = asked.endpoint
    tables = [one.table for parent in asked.parents.values() for one in parent.sources if one.table]
    rates = _rates(endpoint.rate_limit, plan)
    since = str(_filled(Template(endpoint.incremental.start), plan)) if endpoint.incremental else ""
    how = [f"skipped: {asked.skipped}"] if asked.skipped else []
    how += [*sentences.how(endpoint, since), *([f"assumed: {endpoint.assumed}"] if endpoint.assumed else [])]
    how += [f"table {table} is not published yet" for table in tables if table not in published]
    how += [*(f"at most {rate}" for rate in rates), *sentences.skips(endpoint.responses)]
    found: dict[str, Json] = {
        "endpoint": asked.name,
        "method": "FILE" if endpoint.file else "JOB" if endpoint.job else endpoint.method,
        "url": _url(asked, plan),
        "for_each": list(asked.needs),
        "paginate": endpoint.paginate.word if endpoint.paginate else "none",
        "rate_limit": rates,
        "how": how,
        "skipped": asked.skipped,
        "assumed": endpoint.assumed,
        "tables": plan.pipeline.table_of(asked.name) or [asked.name],
    }
    return {**found, "details": sentences.details(endpoint)} if verbose else found


def _table(name: str, table: Table | None, plan: Plan, verbose: bool) -> dict[str, Json]:
    if table is None:
        return {"table": name, "from": [name], "stages": {"validation": 0, "enrichment": 0}}
    reads = sorted(plan.pipeline.needs(name))
    found: dict[str, Json] = {"table": name, "doc": table.doc, "from": list(table.from_), "reads": reads}
    found |= {"key": list(table.key), "mode": table.mode, "columns": len(table.columns)}
    if table.sql:
        found["stages"] = {"analytics": 1, "validation": len(table.validate_)}
    else:
        found["stages"] = {"validation": len(table.validate_), "enrichment": len(table.enrich)}
    if verbose and not table.sql:
        from engine.app.reads import how  # polars with it

        endpoints = [plan.pipeline.endpoints[str(one)] for one in table.from_]
        found["columns_read"] = how(table, {name for one in endpoints for name in one.add})
    return found
