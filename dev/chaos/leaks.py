"""What no log may hold: keys, passwords, tokens, codes that charge a card, numbers of cards."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

PATTERNS = {
    "a secret key": re.compile(r"\bsk_(?:test|live)_[A-Za-z0-9]{8,}"),
    "a token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "an authorization code": re.compile(r"\bAUTH_[a-z0-9]{6,}"),
    "a password's hash": re.compile(r"\$(?:2[abxy]|argon2\w*|bcrypt-sha256)\$"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
}
DIGITS = re.compile(r"(?<![\w.-])[3-6]\d{12,18}(?![\w.-])")
SHOWN = 80
SHORTEST = 8
MOST = 20


def luhn(number: str) -> bool:
    """ISO/IEC 7812-1, annex B: what every card's number ends with."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def secrets_of(env: Mapping[str, str]) -> set[str]:
    """The words that a stack's environment gives away."""
    named = {value for name, value in env.items() if name.endswith(("_PASSWORD", "_SECRET_KEY"))}
    in_urls = {urlsplit(value).password or "" for name, value in env.items() if name.endswith("_URL")}
    return {word for word in named | in_urls if len(word) >= SHORTEST}


def leaks_in(lines: Iterable[str], secrets: Iterable[str]) -> Iterator[str]:
    for line in lines:
        for what, pattern in PATTERNS.items():
            if found := pattern.search(line):
                yield f"{what}: {_around(line, found.start(), found.end())}"
        for found in DIGITS.finditer(line):
            if luhn(found.group()):
                yield f"a card's number: {_around(line, found.start(), found.end())}"
        for secret in secrets:
            if secret in line:
                at = line.index(secret)
                yield f"a secret of the stack: {_around(line, at, at + len(secret))}"


def _around(line: str, start: int, end: int) -> str:
    """The report is a log too."""
    return f"{line[max(0, start - SHOWN) : start]}…{line[end : end + SHOWN]}".strip()


class Logs:
    """The logs of a stack, read on from where they were read last."""

    def __init__(self, *places: Path) -> None:
        """Files, or folders with files that end in `.log`."""
        self._places = places
        self._read: dict[int, int] = {}
        self.leaks: list[str] = []

    def read_on(self, secrets: set[str]) -> None:
        for path in self._files():
            try:
                with path.open("rb") as file:
                    inode = path.stat().st_ino
                    file.seek(self._read.get(inode, 0))
                    for line in file:
                        if line.endswith(b"\n") and len(self.leaks) < MOST:
                            self.leaks += leaks_in([f"{path.name}: {line.decode(errors='replace')}"], secrets)
                    self._read[inode] = file.tell()
            except OSError:
                continue

    def _files(self) -> Iterator[Path]:
        for place in self._places:
            if place.is_dir():
                yield from sorted(path for path in place.rglob("*.log*") if path.is_file())
            elif place.is_file():
                yield place
