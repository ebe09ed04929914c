import io
import json

import pytest

from services.auth.management.import_files import (
    MAX_LINE_BYTES,
    Format,
    ImportedAccount,
    RefusedFile,
    RefusedLine,
    read_accounts,
)

HASH = "$2b$12$" + "a" * 53


def read(content: bytes, file_format: Format) -> tuple[dict[int, ImportedAccount], dict[int, str]]:
    """Return the accounts and the reasons of refused lines, by the number of the line."""
    rows = list(read_accounts(io.BytesIO(content), file_format))
    accounts = {number: row for number, row in rows if isinstance(row, ImportedAccount)}
    return accounts, {number: str(row) for number, row in rows if isinstance(row, RefusedLine)}


def test_read_csv_when_lines_are_broken_then_only_these_are_refused() -> None:
    lines = [
        b"\xef\xbb\xbfname,email,password_hash,email_verified",
        f'"Ada, Obi",Ada@Example.com,{HASH},true'.encode(),
        f'"no end,x@example.com,{HASH},'.encode(),
        b"",
        f"\xff,y@example.com,{HASH},".encode("latin-1"),
        f"Too few,{HASH}".encode(),
        b"x" * (3 * MAX_LINE_BYTES),
        f",not an address,{HASH},".encode(),
        b",secret@example.com,plain-text-password,",
        f",last@example.com,{HASH},".encode(),
    ]
    accounts, refused = read(b"\r\n".join(lines), "csv")
    assert {number: (each.email, each.name, each.email_verified) for number, each in accounts.items()} == {
        2: ("ada@example.com", "Ada, Obi", True),
        10: ("last@example.com", None, False),
    }
    assert refused == {
        3: "the line is not valid CSV: does a quotation mark have no end?",
        5: "the line is not encoded in UTF-8",
        6: "the line has 2 values, and the header 4",
        7: "the line is longer than 8192 bytes",
        8: "email: must be an e-mail address.",
        9: "password_hash: must be a hash of bcrypt ($2a$, $2b$, $2y$), bcrypt_sha256 of passlib, or argon2 (v=19).",
    }


def test_read_json_lines_when_lines_are_broken_then_only_these_are_refused() -> None:
    lines = [
        json.dumps({"email": "ada@example.com", "password_hash": HASH, "name": None, "email_verified": True}),
        "{",
        "[1]",
        "[" * 5000,
        json.dumps({"email": "x@example.com"}),
        json.dumps({"email": "x@example.com", "password_hash": HASH, "secret": "x"}),
        json.dumps({"email": "x@example.com", "password_hash": HASH, "name": "a\x00b"}),
        json.dumps({"email": "\ud800@example.com", "password_hash": HASH}),
        json.dumps({"email": "last@example.com", "password_hash": HASH}),
    ]
    accounts, refused = read("\n".join(lines).encode(), "jsonl")
    assert {number: each.email for number, each in accounts.items()} == {1: "ada@example.com", 9: "last@example.com"}
    assert [*refused] == [2, 3, 4, 5, 6, 7, 8]
    assert refused[3] == "the line is not a JSON object"
    assert refused[5] == "password_hash: is missing."
    assert refused[6] == "the line has an unknown field: known fields are email, password_hash, name, email_verified"


@pytest.mark.parametrize("header", ["", "email", "email,email,password_hash", "email,password_hash,phone", '"'])
def test_read_csv_when_the_header_is_wrong_then_the_file_is_refused(header: str) -> None:
    with pytest.raises(RefusedFile, match="the first line must name the columns"):
        read(f"{header}\nx@example.com,{HASH}".encode(), "csv")
