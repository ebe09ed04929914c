"""Gauges that exist only where and while they are measured."""

import time
from collections.abc import Callable, Iterable, Sequence

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class MeasuredGauge(Collector):
    """A gauge that a background job measures every few seconds.

    A process that does not run the job exports nothing, instead of 0. If the job cannot measure any more, for example because the database
    is unavailable, its values are exported for `max_age_seconds` and then no longer, so that nobody takes an old value for the current
    one. Only for workers: the multiprocess mode of an API with several processes knows no collectors.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        max_age_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._family = (name, documentation, tuple(labels))
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._values: dict[tuple[str, ...], tuple[float, float]] = {}
        REGISTRY.register(self)

    def set(self, value: float, *labels: str) -> None:
        """Set the value that was measured now. `labels`: the values of the labels."""
        self._values[labels] = (value, self._clock())

    def describe(self) -> Iterable[Metric]:
        """Return the family without values: the registry refuses a second metric with this name."""
        yield self._empty_family()

    def collect(self) -> Iterable[Metric]:
        """Return the values that are not too old; nothing if there are none."""
        family, now = self._empty_family(), self._clock()
        for labels, (value, measured_at) in list(self._values.items()):
            if now - measured_at <= self._max_age_seconds:
                family.add_metric(labels, value)
        if family.samples:
            yield family

    def _empty_family(self) -> GaugeMetricFamily:
        name, documentation, labels = self._family
        return GaugeMetricFamily(name, documentation, labels=labels)
