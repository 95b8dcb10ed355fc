"""Whoever waits for images hears of it, and not every moment."""

import pytest

from policysearch.drivers import Event
from policysearch.preparing import noting


def test_the_first_note_comes_soon_and_the_next_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now, heard = [0.0], list[tuple[float, str | None]]()

    def hear(event: Event) -> None:
        heard.append((now[0], event.text))

    monkeypatch.setattr("policysearch.preparing.time.monotonic", lambda: now[0])
    progress = noting(hear)
    for second in range(200):
        now[0] = float(second)
        progress("looking for copies among images", 500 * second, 100_000)
    assert [at for at, _ in heard] == [6.0, 17.0, 38.0, 79.0, 120.0, 161.0]
    assert heard[0][1] == "looking for copies among images: 3,000 of 100,000"
