"""The violations of a stack that cannot be read."""

from dev.chaos.invariants import TITLES, Invariants, Violations


class Unreadable(Invariants):
    def __init__(self) -> None:
        """Needs no stack."""

    async def _check_now(self) -> Violations:
        raise ConnectionRefusedError


async def test_violations_of_a_stack_that_cannot_be_read_have_every_invariant() -> None:
    violations = await Unreadable().violations(0)
    assert set(violations) == set(TITLES)
    assert [name for name, found in violations.items() if found] == ["I5"]
