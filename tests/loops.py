from tests.fixtures.loops import living, until

__all__ = ["living", "until"]
