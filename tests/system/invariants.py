"""The one checker, under the name by which tests of this folder know it."""

from dev.chaos.invariants import Invariants

__all__ = ["Invariants"]
