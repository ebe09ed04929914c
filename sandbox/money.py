def format_money(subunits: int, currency: str) -> str:
    """Format subunits as NGN 2,500.00. All currencies of the sandbox have 100 subunits."""
    whole, rest = divmod(subunits, 100)
    return f"{currency}\N{NO-BREAK SPACE}{whole:,}.{rest:02d}"
