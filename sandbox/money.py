def format_money(subunits: int, currency: str) -> str:
    """Format subunits as NGN 2,500.00. Paystack takes every amount times 100, also in currencies without a subunit."""
    whole, rest = divmod(subunits, 100)
    return f"{currency}\N{NO-BREAK SPACE}{whole:,}.{rest:02d}"
