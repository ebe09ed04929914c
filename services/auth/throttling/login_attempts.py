"""The limits of a login: for a known device its own, otherwise those of the user name and of the address.

All limits are counted in Postgres, so they hold for all processes together. Only failures count.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.errors import TooManyFailedLogins
from services.auth.metrics import throttled_total
from services.auth.throttling import address_buckets, failed_logins
from services.auth.throttling.address_buckets import FAILED_LOGINS
from services.auth.throttling.devices import KnownDevice
from services.auth.throttling.remembered_refusals import RememberedRefusals


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """A login with a user name from an address, and perhaps from a known device of the account. An e-mail address is normalized."""

    refusals: RememberedRefusals
    name: str
    address: str
    device: KnownDevice | None

    def check(self) -> None:
        """Raise TooManyFailedLogins if this process remembers that the attempt is refused at the moment."""
        for limit, key in self._limits().items():
            seconds = self.refusals.seconds_left(key)
            if seconds > 0:
                raise _refusal(limit, seconds)

    async def start(self, session: AsyncSession) -> datetime:
        """Count the attempt before the password is verified, and return the time for `record_success`.

        Raises TooManyFailedLogins. The caller then rolls back the transaction, so nothing is counted.
        """
        started_at = await failed_logins.start_attempt(session, self._key)
        if started_at is None:
            raise self._refuse(await failed_logins.seconds_to_wait(session, self._key), self._key)
        if self.device is None and not await address_buckets.take(session, FAILED_LOGINS, self.address):
            seconds = await address_buckets.seconds_to_wait(session, FAILED_LOGINS, self.address)
            raise self._refuse(seconds, FAILED_LOGINS.key(self.address))
        return started_at

    async def record_failure(self, session: AsyncSession) -> None:
        """Record that the password was wrong or there is no account. The token of the address stays taken."""
        await failed_logins.record_failure(session, self._key)
        self.refusals.forget(self._key)  # the pause is longer now

    async def record_success(self, session: AsyncSession, started_at: datetime) -> None:
        """Record that the password was correct: the attempt costs nothing."""
        await failed_logins.record_success(session, self._key, started_at)
        if self.device is None:
            await address_buckets.give_back(session, FAILED_LOGINS, self.address)
        for key in self._limits().values():
            self.refusals.forget(key)

    @property
    def _key(self) -> bytes:
        if self.device is None:
            return failed_logins.key_of_name(self.name)
        return failed_logins.key_of_device(self.device.token_digest)

    def _limits(self) -> dict[str, bytes]:
        """Return the keys of the limits that apply, by the label of the metric."""
        if self.device is None:
            return {"name": self._key, "address": FAILED_LOGINS.key(self.address)}
        return {"device": self._key}

    def _refuse(self, seconds: float, key: bytes) -> TooManyFailedLogins:
        """Remember the refusal and return the error. `seconds` is 0 if the limit has ended since the attempt was refused."""
        if seconds > 0:
            self.refusals.add(key, seconds)
        (limit,) = (limit for limit, limit_key in self._limits().items() if limit_key == key)
        return _refusal(limit, max(1.0, seconds))


def _refusal(limit: str, seconds: float) -> TooManyFailedLogins:
    throttled_total.labels(limit).inc()
    return TooManyFailedLogins(math.ceil(seconds))
