"""What the page's `connection` means in a run: routes with limits and patience, proxies, certificates, the deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.core.clock import Clock
from engine.core.errors import ConfigError, Mistake
from engine.core.kinds import Auth, fill, reveal
from engine.core.values import Duration, Rate
from engine.core.wire import origin
from engine.flow.answer import real_path
from engine.flow.fetch import Route
from engine.flow.files import Files
from engine.flow.gate import Gate
from engine.flow.limits import Deadline, Limiter
from engine.flow.line import Patience
from engine.flow.plan import Asked, Plan, render
from engine.flow.session import Pool
from engine.flow.trust import Proxy, Trust
from engine.flow.unpack import decode_of, taking_of, unpacker
from engine.spec.collect import Connection, Timeout, check_host
from engine.spec.fields import Limit


@dataclass(frozen=True)
class Connect:
    """Reads the settings of a connection; raises ConfigError for what a param or a file makes wrong."""

    plan: Plan
    clock: Clock
    files: Files
    is_simulated: bool = False
    """Whether somebody answers here in the vendor's place: then there are no limits to keep and no proxies."""

    @property
    def settings(self) -> Connection:
        """What the page says."""
        return self.plan.pipeline.connection

    def concurrency(self) -> int:
        """How many requests may be under way at best."""
        return int(self._setting(self.settings.concurrency))

    def deadline(self) -> Deadline:
        """When the collection that begins now has to end."""
        said = str(self._setting(self.settings.deadline))
        return Deadline(self.clock.now() + self._seconds(said), said)

    def trust(self, auth: Auth | None) -> Trust:
        """Proxies and certificates, looked at before anything is asked."""
        if self.is_simulated:
            return Trust(direct=True)
        proxy = fill(self.settings.proxy, self.plan.settings.scope())
        file = self._setting(self.settings.ca_file)
        trust = Trust(
            page_proxy=Proxy.of(reveal(proxy)) if proxy else None,
            more=(self.files.bytes(str(file)).decode("ascii", "replace"),) if file else (),
            certificate=auth.certificate() if auth else None,
        )
        trust.check()
        return trust

    def routes(self, session: Pool | None) -> dict[str, Route]:
        """Endpoint -> how its requests go out, for those that are asked."""
        connection, shared = self.settings, self._limiters(self.settings.rate_limit)
        hold, gate = Limiter(), Gate(self.concurrency())
        return {
            asked.name: Route(
                endpoint=asked.name,
                session=session,
                limiters=(*shared, *self._limiters(asked.endpoint.rate_limit)),
                hosts=self._allowed(),
                origins=self._own(asked),
                patience=self._patience(asked.endpoint.timeout or connection.timeout),
                max_bytes=connection.max_page.bytes,
                real_path=real_path(asked.endpoint, "address"),
                responses=asked.endpoint.responses,
                unpack=unpacker(decode_of(asked.endpoint), connection.max_page.bytes),
                taking=taking_of(asked.endpoint),
                learn=connection.learn,
                hold=hold,
                gate=gate,
                in_tls=self._in_tls(asked),
                steps=self._steps(asked),
            )
            for asked in self.plan.endpoints
            if not asked.skipped
        }

    def _allowed(self) -> frozenset[str]:
        hosts = [str(self._setting(host)).lower() for host in self.settings.allow_hosts]
        for host in hosts:
            try:
                check_host(host)
            except Mistake as mistake:
                raise ConfigError(f"connection.allow_hosts: {mistake}", mistake.fix) from None
        return frozenset(hosts)

    def _own(self, asked: Asked) -> frozenset[tuple[str, str, int]]:
        """The origin of the API, and those that the endpoint names in whole addresses; of port 80 also that of TLS."""
        job = asked.endpoint.job
        asks = [ask.way[1] for ask in job.steps.values()] if job else []
        whole = [path for path in (asked.endpoint.path, *asks) if path and path.startswith(("http://", "https://"))]
        named = [origin(path) for path in whole if "${" not in path.split("/")[2]]
        found = {origin(self.plan.base_url(asked)), *named}
        return frozenset(found | {("https", host, 443) for _, host, port in found if port == 80})

    def _steps(self, asked: Asked) -> dict[str, Sequence[Limiter]]:
        job = asked.endpoint.job
        return {word: self._limiters(ask.rate_limit) for word, ask in job.steps.items()} if job else {}

    def _in_tls(self, asked: Asked) -> bool:
        path = asked.endpoint.path or ""
        return (path if path.startswith("http:") else self.plan.base_url(asked)).startswith("https:")

    def _patience(self, timeout: Timeout) -> Patience:
        return Patience(
            *(self._seconds(self._setting(one)) for one in (timeout.connect, timeout.read, timeout.request))
        )

    def _limiters(self, limits: Sequence[Limit]) -> list[Limiter]:
        if self.is_simulated:
            return []
        return [Limiter(Rate.read(str(self._setting(limit.rate))).per_second, limit.burst) for limit in limits]

    def _seconds(self, said: Any) -> float:
        return Duration.read(str(said)).seconds

    def _setting(self, value: Any) -> Any:
        scope: Mapping[str, Any] = self.plan.settings.scope()
        return render(value, scope) if isinstance(value, str) else value
