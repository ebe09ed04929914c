"""The words of seeded products. The first ones are in many products, the last ones in few."""

import random
from pathlib import Path

COMMON = (Path(__file__).parent / "words.txt").read_text().split()
OTHER_SCRIPTS = (Path(__file__).parent / "words_other_scripts.txt").read_text().split()
"""Words with accents, and in other scripts than that of English."""

SYLLABLES = [consonant + vowel for consonant in "bdfgklmnrstvwyz" for vowel in "aeiou"]
SIZE = 25_000


def vocabulary() -> list[str]:
    """Return SIZE distinct words, always the same ones, the most frequent first. Every twentieth is one of OTHER_SCRIPTS at first."""
    numbers = random.Random(7)
    words = dict.fromkeys(COMMON)
    others = iter(OTHER_SCRIPTS)
    while len(words) < SIZE:
        if len(words) % 20 == 0:
            words[next(others, "".join(numbers.choices(SYLLABLES, k=5)))] = None
        else:
            words["".join(numbers.choices(SYLLABLES, k=numbers.choice((2, 3, 3, 4))))] = None
    return list(words)
