from services.auth.throttling.remembered_refusals import RememberedRefusals


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_seconds_left_when_time_passes_then_fewer_and_then_none() -> None:
    clock = Clock()
    refusals = RememberedRefusals(clock=clock)
    refusals.add(b"ada", 10)
    clock.now += 4
    assert (refusals.seconds_left(b"ada"), refusals.seconds_left(b"eve")) == (6, 0)
    clock.now += 6
    assert refusals.seconds_left(b"ada") == 0


def test_add_when_the_key_is_refused_again_then_the_last_refusal_counts() -> None:
    refusals = RememberedRefusals(clock=Clock())
    for seconds in (10, 60, 20):
        refusals.add(b"ada", seconds)
        assert refusals.seconds_left(b"ada") == seconds


def test_remove_then_no_longer_refused() -> None:
    refusals = RememberedRefusals(clock=Clock())
    refusals.add(b"ada", 10)
    for key in (b"ada", b"eve"):
        refusals.remove(key)
    assert refusals.seconds_left(b"ada") == 0


def test_add_when_there_are_too_many_then_the_oldest_is_forgotten() -> None:
    refusals = RememberedRefusals(size=2, clock=Clock())
    for key in (b"a", b"b", b"a", b"c"):
        refusals.add(key, 10)
    assert [refusals.seconds_left(key) for key in (b"a", b"b", b"c")] == [10, 0, 10]
