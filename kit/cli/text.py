"""Text from outside, safe to print in a terminal."""


def printable(text: str) -> str:
    """Replace control characters, because text from outside could manipulate the terminal with them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
