"""The limits of a login: for a known device its own, otherwise those of the user name and of the address.

All limits are counted in Postgres, so they hold for all processes together. Only failures count.
"""

import math
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.auth.errors import MailCodeRequired, OAuthError, TooManyFailedLogins
from services.auth.metrics import throttled_total
from services.auth.throttling import address_buckets, failed_logins
from services.auth.throttling.address_buckets import FAILED_LOGINS_AND_MAIL_REQUESTS
from services.auth.throttling.devices import KnownDevice
from services.auth.throttling.remembered_refusals import RememberedRefusals

MAIL_CODE = "mail_code"
"""The label of logins that were refused after MAX_FAILURES."""

MAIL_CODE_SECONDS = 5.0
"""How long this process remembers such a refusal. It is short, because a login with a mail code in another process may end the refusal."""


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """A login with a user name, perhaps from a known device of the account. E-mail addresses are normalized."""

    refusals: RememberedRefusals
    name: str
    limit_address: str
    device: KnownDevice | None
    shop_sends_mail: bool = False
    """Whether the shop sends mail, so that an owner can log in without trying a password."""

    def check(self) -> None:
        """Raise TooManyFailedLogins or MailCodeRequired if this process remembers that the attempt is refused at the moment."""
        for metric_label, key in self._limits().items():
            seconds = self.refusals.seconds_left(key)
            if seconds > 0:
                raise _refusal(metric_label, seconds)

    async def start(self, db: AsyncSession) -> datetime:
        """Count the attempt before the password is verified, and return the time for `record_success`.

        Raises TooManyFailedLogins, MailCodeRequired. The caller then rolls back the transaction, so nothing is counted.
        """
        # Lock the address before the user name, as in every transaction that counts both: concurrent ones would deadlock otherwise.
        if self.device is None and not await address_buckets.take(
            db, FAILED_LOGINS_AND_MAIL_REQUESTS, self.limit_address
        ):
            seconds = await address_buckets.seconds_to_wait(db, FAILED_LOGINS_AND_MAIL_REQUESTS, self.limit_address)
            raise self._refuse(FAILED_LOGINS_AND_MAIL_REQUESTS.metric_label, seconds)
        started_at = await failed_logins.start_attempt(db, self._key, refuse_after_max_failures=self.shop_sends_mail)
        if started_at is not None:
            return started_at
        if self.shop_sends_mail and await failed_logins.has_max_failures(db, self._key):
            raise self._refuse(MAIL_CODE, MAIL_CODE_SECONDS)
        raise self._refuse(self._own_label, await failed_logins.seconds_to_wait(db, self._key))

    async def record_failure(self, db: AsyncSession) -> None:
        """Record that the password was wrong or there is no account. The token of the address stays taken."""
        await failed_logins.record_failure(db, self._key)
        self.refusals.remove(self._key)  # the pause is longer now

    async def record_success(self, db: AsyncSession, started_at: datetime) -> None:
        """Record that the password was correct: the attempt costs nothing.

        On a known device, it also lets other devices of the owner log in with the password again, if there were too many failures.
        """
        if self.device is None:
            await address_buckets.give_back(db, FAILED_LOGINS_AND_MAIL_REQUESTS, self.limit_address)
        await failed_logins.record_success(db, self._key, started_at)
        if self.device is not None:
            await failed_logins.reset_max_failures(db, failed_logins.key_of_name(self.name))
        for key in self._limits().values():
            self.refusals.remove(key)
        remove_refusals_of_name(self.refusals, self.name)

    @property
    def _key(self) -> bytes:
        if self.device is None:
            return failed_logins.key_of_name(self.name)
        return failed_logins.key_of_device(self.device.token_digest)

    @property
    def _own_label(self) -> str:
        return "name" if self.device is None else "device"

    def _limits(self) -> dict[str, bytes]:
        """Return the keys of the limits that apply, by their labels in the metric."""
        limits = {self._own_label: self._key, MAIL_CODE: _mail_code_key(self._key)}
        return (
            limits
            if self.device is not None
            else {
                **limits,
                FAILED_LOGINS_AND_MAIL_REQUESTS.metric_label: FAILED_LOGINS_AND_MAIL_REQUESTS.key(self.limit_address),
            }
        )

    def _refuse(self, metric_label: str, seconds: float) -> OAuthError:
        """Remember the refusal and return the error. `seconds` is 0 if the limit has ended since the attempt was refused."""
        if seconds > 0:
            self.refusals.add(self._limits()[metric_label], seconds)
        return _refusal(metric_label, max(1.0, seconds))


def remove_refusals_of_name(refusals: RememberedRefusals, name: str) -> None:
    """Remove the refusals of logins with a user name, because its owner has logged in or reset the password.

    The limit of the address still applies.
    """
    key = failed_logins.key_of_name(name)
    refusals.remove(key)
    refusals.remove(_mail_code_key(key))


def _mail_code_key(key: bytes) -> bytes:
    return key + b" mail code"


def _refusal(metric_label: str, seconds: float) -> OAuthError:
    throttled_total.labels(metric_label).inc()
    return MailCodeRequired() if metric_label == MAIL_CODE else TooManyFailedLogins(math.ceil(seconds))
