"""A mail server for development: it accepts all mail, delivers none, and shows what it got on a page. Only the standard library is used,
so that docker compose can run it in a plain image of Python."""
