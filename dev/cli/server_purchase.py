"""`make demo SERVER=1`: a merchant's server orders and pays for its customer, who has no account in the shop."""

import os
import time

from dev.cli.calls import Json, PurchaseFailed
from dev.cli.programs import create_program, remove_program
from dev.cli.purchase import Headers, Purchase

SCOPES = ("orders:write_for", "payments:write_for")


class ServerPurchase(Purchase):
    """A program buys for its customer: that of CLIENT_ID and CLIENT_SECRET, or a new one, which needs the database of auth."""

    who = "the server"

    async def become_buyer(self) -> Headers:
        """Register a program, get a token for it and return the Authorization header."""
        client_id, secret = await self._register_program()
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        token = await self.calls.call("the server gets a token", "POST", f"{self.shop.auth}/auth/token", data=form)
        return {"Authorization": f"Bearer {token['access_token']}"}

    async def _register_program(self) -> tuple[str, str]:
        """Return id and secret of a new program, or of the given one. Raises PurchaseFailed if neither is possible."""
        given = os.environ.get("CLIENT_ID", ""), os.environ.get("CLIENT_SECRET", "")
        if all(given):
            return given
        if not self.shop.auth_database:
            command = (
                f"python -m services.auth client create merchant {' '.join(f'--scope {scope}' for scope in SCOPES)}"
            )
            raise PurchaseFailed(
                f"set CLIENT_ID and CLIENT_SECRET to those of a program: docker compose exec -e USER auth {command}"
            )
        started = time.monotonic()
        secret = await create_program(self.shop.auth, self.shop.auth_database, self.client_id, *SCOPES)
        self.calls.print_step("the operator registers a program", started, f"client create {self.client_id}")
        return self.client_id, secret

    async def order(self, product: Json, buyer: Headers, **body: object) -> Json:
        """Order for the customer. The payment is then for the same customer."""
        customer = {"email": f"chidi-{self.suffix}@example.com", "name": "Chidi Eze", "external_id": self.external_id}
        return await super().order(product, buyer, customer=customer, **body)

    async def after_delivery(self, order: Json, buyer: Headers) -> None:
        """Find the order by the program's own id of the customer, then remove the program. Raises PurchaseFailed if it is not found."""
        url, wanted = f"{self.shop.catalog}/catalog/orders", {"external_id": self.external_id}
        found = await self.calls.call(
            "the server lists the customer's orders", "GET", url, params=wanted, headers=buyer
        )
        if [each["id"] for each in found["items"]] != [order["id"]]:
            raise PurchaseFailed(f"the list does not have the order: {found}")
        if self.shop.auth_database and not os.environ.get("CLIENT_ID"):
            started = time.monotonic()
            await remove_program(self.shop.auth, self.shop.auth_database, self.client_id)
            self.calls.print_step("the operator removes the program", started, f"client remove {self.client_id}")

    @property
    def client_id(self) -> str:
        return f"demo-{self.suffix}"

    @property
    def external_id(self) -> str:
        return f"customer-{self.suffix}"
