"""The bounded cache: what it keeps, and who makes a missing value."""

from __future__ import annotations

import threading

import pytest

from skdeep.core.bounded_cache import BoundedCache


def test_the_least_recently_used_value_is_dropped():
    cache, made = BoundedCache(2), []

    def make(key):
        made.append(key)
        return key * 10

    found = [cache.get(key, lambda key=key: make(key)) for key in (1, 2, 1, 3, 1, 2)]
    assert found == [10, 20, 10, 30, 10, 20]
    assert made == [1, 2, 3, 2]


def test_several_threads_wait_for_the_one_that_makes():
    cache, made = BoundedCache(2), []
    is_making, may_end = threading.Event(), threading.Event()

    def make():
        made.append(threading.current_thread())
        is_making.set()
        may_end.wait()
        return 1

    found = []
    threads = [threading.Thread(target=lambda: found.append(cache.get("key", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    is_making.wait()
    assert cache.get("other", lambda: 2) == 2  # other keys do not wait
    may_end.set()
    for thread in threads:
        thread.join()
    assert found == [1] * 4
    assert len(made) == 1


def test_nothing_is_kept_of_a_maker_that_raises():
    cache = BoundedCache(2)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)
    assert cache.get("key", lambda: 1) == 1


def test_clear():
    cache = BoundedCache(2)
    cache.get("key", lambda: 1)
    cache.clear()
    assert cache.get("key", lambda: 2) == 2
