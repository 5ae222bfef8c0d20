"""So many at once, and so many a second."""

from __future__ import annotations

from monitor.core.bucket import Bucket


def test_a_bucket_gives_so_many_at_once_and_so_many_a_second() -> None:
    bucket = Bucket(3, 2.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(11.0) for _ in range(3)] == [True, True, False]
    assert not bucket.take(5.0), "a clock that goes back gives nothing"
