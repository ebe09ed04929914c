from tests.fixtures.contention import BROKEN_UP, When, broken_up

__all__ = ["BROKEN_UP", "When", "broken_up"]
