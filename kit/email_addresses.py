"""The form of e-mail addresses that is sent to other systems: Paystack and mail servers."""

import idna


def ascii_email(address: str) -> str:
    """Return the address with its domain in ASCII (IDNA 2008). Accounts store the Unicode form, so that each address has one spelling.

    A local part that is not ASCII has no ASCII form and is sent unchanged; the receiver decides about it. A domain that IDNA refuses is
    also sent unchanged.
    """
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return address
