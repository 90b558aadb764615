"""Ctrl-C leaves a usable estimator; forked processes raise instead of hanging."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time

import numpy as np
import pytest

from skdeep import DeepClassifier
from skdeep.core.drivers.interrupts import held_back_interrupt
from skdeep.networks import MLP

X = np.random.default_rng(0).normal(size=(2000, 20))
y = (X[:, 0] > 0).astype(int)


SECONDS_AT_MOST = 300


@pytest.fixture(autouse=True)
def ends_if_a_test_hangs():
    """End the process if a test hangs."""
    faulthandler.dump_traceback_later(SECONDS_AT_MOST, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def press_ctrl_c():
    """Return a function that sends SIGINT to this process after some seconds, and returns a list for the time."""
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timers = []

    def after(seconds):
        timers.append(threading.Timer(seconds, press))
        timers[-1].start()
        return pressed

    yield after
    for timer in timers:
        timer.cancel()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_stops_fit_with_usable_parameters(press_ctrl_c, early_stopping):
    model = DeepClassifier(
        network=MLP((64, 64)), max_epochs=10_000_000, tol=None, early_stopping=early_stopping, random_state=0
    )
    model.set_params(max_epochs=1).fit(X, y)  # compile the program before the timer starts
    pressed = press_ctrl_c(1.0)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(max_epochs=10_000_000).fit(X, y)
    assert pressed
    assert model.n_iter_ > 1
    assert len(model.history_) == model.n_iter_
    assert model.score(X, y) > 0.8


def test_ctrl_c_stops_a_search(press_ctrl_c):
    from sklearn.model_selection import GridSearchCV

    model = DeepClassifier(network=MLP((64, 64)), max_epochs=10_000_000, tol=None)
    press_ctrl_c(2.0)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(model, {"learning_rate": [0.1, 0.01]}, cv=2, error_score=np.nan).fit(X, y)


def test_an_interrupt_is_delayed_until_the_block_ends():
    done = []
    with pytest.raises(KeyboardInterrupt), held_back_interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("after")
    assert done == ["after"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from skdeep import DeepClassifier
X, y = np.eye(8), np.arange(8) % 2
model = DeepClassifier(max_epochs=1, tol=None).fit(X, y)
pid = os.fork()
if pid == 0:
    try:
        model.fit(X, y)
    except RuntimeError as err:
        print(err, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_a_fit_in_a_forked_process_raises(forks):
    done = forks.run(FORK)
    assert "forked after JAX had started" in done.stdout, done.stderr
    assert "'loky' (the default) or 'threading'" in done.stdout
