"""What the documentation names is there: a promise whose test was renamed shows nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
DOCS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
NAMED = re.compile(r"`((?:tests/\w+/)?)(test_\w+\.py)`")
LINK = re.compile(r"\]\(([^)#:]+)")


def _tests_named(text: str) -> Iterator[str]:
    """A name without a folder is in the folder of the one before it."""
    folder = ""
    for own_folder, name in NAMED.findall(text):
        folder = own_folder or folder
        yield folder + name


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_whatever_is_named_is_there(doc: Path) -> None:
    text = doc.read_text()
    named = [PROJECT / name for name in _tests_named(text)] + [doc.parent / link for link in LINK.findall(text)]
    assert [str(path) for path in named if not path.is_file()] == []
