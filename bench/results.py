"""The results of one run, and the ratios between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import median

from bench.auth import MeasuredWork
from bench.intake import MeasuredServer
from bench.large_tables import KINDS, Comparison
from bench.memory import Memory
from bench.orders import ATTEMPTS
from bench.purchases import Latency
from bench.revocations import ENTRIES
from bench.routes import MeasuredRoute
from bench.sweep import Sweep
from bench.worst_queries import WorstQueries

NOISY = 0.25
"""A figure is noisy if its rounds differ by more than this fraction of their median."""


Measured = MeasuredServer | MeasuredRoute | MeasuredWork


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of two figures, one value per round. `expected_minimum`: the bar; a smaller ratio is reported as missed."""

    name: str
    rounds: list[float]
    expected_minimum: float | None = None

    @property
    def value(self) -> float:
        """Return the median of the rounds."""
        return median(self.rounds)


@dataclass(slots=True)
class Results:
    """The results of one run. `shop` and `baseline`: purchases per second, one per round. Memory is measured before and after the load."""

    load_average_before: float
    servers: list[MeasuredServer] = field(default_factory=list)
    routes: list[MeasuredRoute] = field(default_factory=list)
    account_routes: list[MeasuredRoute] = field(default_factory=list)
    """GET /auth/me, and the same route of fastapi-users."""
    product_routes: dict[str, list[MeasuredRoute]] = field(default_factory=dict)
    """By kind: catalog's, the same SQL on asyncpg, and Django REST framework; of `unchanged` only catalog's (products.py)."""
    logins: list[MeasuredWork] = field(default_factory=list)
    refreshes: list[MeasuredWork] = field(default_factory=list)
    orders: list[MeasuredWork] = field(default_factory=list)
    """Of catalog and of the same statements: of many products, then of one product."""
    other_account: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    """Orders per second of one account alone, and during many attempts of another one, one per round."""
    worst_queries: WorstQueries | None = None
    auth_growth: float | None = None
    """Megabytes (auth_memory.py)."""
    missing_peers: dict[str, str] = field(default_factory=dict)
    """The peers that could not be installed, and why."""
    latency: Latency = field(default_factory=Latency)
    shop: list[float] = field(default_factory=list)
    baseline: list[float] = field(default_factory=list)
    memory_before: dict[str, Memory] = field(default_factory=dict)
    memory_after: dict[str, Memory] = field(default_factory=dict)
    verified: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    """Access tokens verified per second without revocations and with them, one per round."""
    sweep: Sweep | None = None
    large_tables: Comparison | None = None

    def ratios(self) -> list[Ratio]:
        """Return the ratios. Each compares figures of the same round, so that other load on the machine affects both."""
        raw, noop, intake, two, *peers = self.servers
        open_route, closed, *user_peers = self.routes
        own_account, *peer_accounts = self.account_routes
        (login, bcrypt_alone), (refresh, signed, unsigned) = self.logins, self.refreshes
        ratios = [
            Ratio(f"{intake.name} / {raw.name}", _rate_ratios(intake, raw), 0.45),
            Ratio(f"{intake.name} / {noop.name}", _rate_ratios(intake, noop), 0.9),
            Ratio(f"{two.name} / one process", _rate_ratios(two, intake), 1.25),
            *(Ratio(f"{intake.name} / {peer.name}", _rate_ratios(intake, peer), 10.0) for peer in peers),
            Ratio(f"{closed.name} / {open_route.name}", _rate_ratios(closed, open_route), 0.65),
            *(Ratio(f"{closed.name} / {peer.name}", _rate_ratios(closed, peer), 8.0) for peer in user_peers),
            Ratio(
                f"tokens verified, {ENTRIES:,} revocations / none", _ratios(self.verified[1], self.verified[0]), 0.95
            ),
            *(
                Ratio(f"{own_account.name} / {peer.name}", _rate_ratios(own_account, peer), 1.5)
                for peer in peer_accounts
            ),
            *self._product_ratios(open_route),
            Ratio(f"{login.name} / {bcrypt_alone.name}", _rate_ratios(login, bcrypt_alone), 0.85),
            Ratio(f"{refresh.name} / {signed.name}", _rate_ratios(refresh, signed), 0.5),
            Ratio(f"{refresh.name} / {unsigned.name}", _rate_ratios(refresh, unsigned)),
            *(
                Ratio(f"{own.name} / same statements", _rate_ratios(own, same), 0.4)
                for own, same in zip(self.orders[::2], self.orders[1::2], strict=True)
            ),
            Ratio(
                f"orders during {ATTEMPTS:,} attempts of another account / alone",
                _ratios(self.other_account[1], self.other_account[0]),
                0.5,
            ),
            *self._worst_query_ratios(),
            Ratio("purchases / baseline", _ratios(self.shop, self.baseline), 0.6),
        ]
        if self.large_tables:
            full, empty = self.large_tables.full, self.large_tables.empty
            stored = self.large_tables.rows["payments"]
            ratios += [
                Ratio(f"{kind}, {stored:,} stored / none", _ratios(full.rates[kind], empty.rates[kind]), 0.9)
                for kind in KINDS
            ]
        if self.sweep:
            ratios.append(Ratio("sweep: calls per minute / rate limit", [self.sweep.per_minute / self.sweep.limit]))
            ratios.append(Ratio("sweep: estimated / measured seconds", [self.sweep.estimated / self.sweep.took]))
        return ratios

    def _product_ratios(self, open_route: MeasuredRoute) -> Iterator[Ratio]:
        for own, *others in self.product_routes.values():
            bars = (0.45, 2.0) if others else (0.7,)
            for other, bar in zip(others or [open_route], bars, strict=False):
                yield Ratio(f"{own.name} / {other.name}", _rate_ratios(own, other), bar)

    def _worst_query_ratios(self) -> Iterator[Ratio]:
        found = {} if self.worst_queries is None else self.worst_queries.ratios()
        for kind, ratio in found.items():
            yield Ratio(f"{kind}: p99 quiet / during slow lists", [ratio], 0.33)

    def measured(self) -> list[Measured]:
        """Return everything whose requests per second were measured."""
        routes = [*self.routes, *self.account_routes, *chain.from_iterable(self.product_routes.values())]
        return [*self.servers, *routes, *self.logins, *self.refreshes, *self.orders]

    def rates(self) -> dict[str, list[float]]:
        """Return all rates per second by name, one per round."""
        rates = {server.name: [round_.rate for round_ in server.rounds] for server in self.measured()}
        if self.large_tables:
            for name, side in (("full", self.large_tables.full), ("empty", self.large_tables.empty)):
                rates.update({f"{kind}, {name} tables": rounds for kind, rounds in side.rates.items()})
        return {**rates, "purchases": self.shop, "baseline": self.baseline}

    def noisy(self) -> list[str]:
        """Return the names of the noisy figures."""
        measured = {**self.rates(), **{ratio.name: ratio.rounds for ratio in self.ratios()}}
        return [name for name, rounds in measured.items() if (max(rounds) - min(rounds)) / median(rounds) > NOISY]


def _rate_ratios(one: Measured, other: Measured) -> list[float]:
    return _ratios([round_.rate for round_ in one.rounds], [round_.rate for round_ in other.rounds])


def _ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ones, others, strict=True)]
