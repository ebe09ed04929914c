"""Token buckets, which limit the rate of requests.

The buckets are in memory, so with several web processes or containers an account can have the limit once for each of them. A shared
counter would be a write to the database for each request, which costs more than what the limit protects.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from kit.errors import Problem

MAX_BUCKETS = 50_000


class TooManyRequests(Problem):
    """There were too many of these requests in the last minute. Wait as many seconds as `Retry-After` says, then try again."""

    status = 429

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(headers={"Retry-After": str(math.ceil(wait_seconds))})


class TokenBuckets:
    """A token bucket for each key: it allows `per_minute` requests at once, and then `per_minute` requests in each minute.

    At most `size` buckets are kept: those that were used last. A bucket that was not kept starts full again.
    """

    def __init__(self, per_minute: int, size: int = MAX_BUCKETS, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._size = size
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """The number of tokens, and the time at which they were counted, by key."""

    def take(self, key: str) -> None:
        """Take a token. Raises TooManyRequests, with the time until there is one."""
        now = self._clock()
        tokens, since = self._buckets.pop(key, (float(self.per_minute), now))
        tokens = min(self.per_minute, tokens + (now - since) * self.per_minute / 60)
        taken = tokens >= 1
        self._buckets[key] = (tokens - 1 if taken else tokens, now)
        if len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        if not taken:
            raise TooManyRequests((1 - tokens) * 60 / self.per_minute)
