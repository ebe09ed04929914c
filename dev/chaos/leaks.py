"""Search logs for secrets: keys, passwords, tokens, authorization codes and card numbers."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

PATTERNS = {
    "a secret key": re.compile(r"\bsk_(?:test|live)_[A-Za-z0-9]{8,}"),
    "a token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "an authorization code": re.compile(r"\bAUTH_[a-z0-9]{6,}"),
    "a password hash": re.compile(r"\$(?:2[abxy]|argon2\w*|bcrypt-sha256)\$"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
}
DIGITS = re.compile(r"(?<![\w.-])[3-6]\d{12,18}(?![\w.-])")
CONTEXT = 80
"""Characters of the line that are reported on each side of a secret."""
MIN_SECRET_LENGTH = 8
MAX_LEAKS = 20


def is_card_number(number: str) -> bool:
    """Return True if the check digit is right (Luhn, ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def secrets_of(env: Mapping[str, str]) -> set[str]:
    """Return the secrets in the environment of a stack: passwords, keys, and passwords in URLs."""
    named = {value for name, value in env.items() if name.endswith(("_PASSWORD", "_SECRET_KEY"))}
    in_urls = {urlsplit(value).password or "" for name, value in env.items() if name.endswith("_URL")}
    return {secret for secret in named | in_urls if len(secret) >= MIN_SECRET_LENGTH}


def leaks_in(lines: Iterable[str], secrets: Iterable[str]) -> Iterator[str]:
    """Yield a description of each secret in the lines, without the secret itself."""
    for line in lines:
        for kind, pattern in PATTERNS.items():
            if found := pattern.search(line):
                yield f"{kind}: {_context(line, found.start(), found.end())}"
        for found in DIGITS.finditer(line):
            if is_card_number(found.group()):
                yield f"a card number: {_context(line, found.start(), found.end())}"
        for secret in secrets:
            if secret in line:
                at = line.index(secret)
                yield f"a secret of the stack: {_context(line, at, at + len(secret))}"


def _context(line: str, start: int, end: int) -> str:
    """Return the text around a secret, without the secret: it must not appear in the report either."""
    return f"{line[max(0, start - CONTEXT) : start]}…{line[end : end + CONTEXT]}".strip()


class LogScanner:
    """Scans the logs of a stack; each call continues after the last line of the previous one."""

    def __init__(self, *paths: Path) -> None:
        """Scan the given files, and all log files in the given folders."""
        self._paths = paths
        self._offsets: dict[int, int] = {}
        """Position after the last scanned line, by inode because full log files are renamed."""
        self.leaks: list[str] = []

    def scan(self, secrets: set[str]) -> None:
        """Add the secrets in new lines to `leaks`."""
        for path in self._files():
            try:
                with path.open("rb") as file:
                    inode = path.stat().st_ino
                    offset = self._offsets.get(inode, 0)
                    file.seek(offset)
                    for line in file:
                        if not line.endswith(b"\n"):  # the rest of the line is not written yet
                            break
                        offset += len(line)
                        if len(self.leaks) < MAX_LEAKS:
                            self.leaks += leaks_in([f"{path.name}: {line.decode(errors='replace')}"], secrets)
                    self._offsets[inode] = offset
            except OSError:
                continue

    def _files(self) -> Iterator[Path]:
        for path in self._paths:
            if path.is_dir():
                yield from sorted(file for file in path.rglob("*.log*") if file.is_file())
            elif path.is_file():
                yield path
