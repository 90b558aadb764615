"""Items are read one ahead in a thread, which ends after each item, after errors, and by `close`."""

import threading

import pytest

from skdeep.core.feeds.read_ahead import ReadAhead


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "skdeep-read-ahead"]


def test_one_item_is_read_ahead_in_another_thread():
    seen = []

    def items(is_closed):
        for i in range(3):
            seen.append((i, threading.current_thread().name))
            yield i

    ahead = ReadAhead(items)
    assert next(ahead) == 0
    ahead._thread.join()
    assert seen == [(0, "skdeep-read-ahead"), (1, "skdeep-read-ahead")]
    assert list(ahead) == [1, 2]
    with pytest.raises(StopIteration):
        next(ahead)
    assert threads() == []


def test_an_error_is_raised_in_the_callers_thread():
    def items(is_closed):
        yield 1
        raise ValueError("no such row")

    ahead = ReadAhead(items)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="no such row"):
        next(ahead)
    assert threads() == []


def test_close_ends_the_thread_in_the_middle_of_an_item():
    began, ended = threading.Event(), []

    def items(is_closed):
        began.set()
        while not is_closed():
            pass
        ended.append(True)
        yield None

    ahead = ReadAhead(items)
    began.wait()
    ahead.close()
    assert ended == [True]
    assert threads() == []
