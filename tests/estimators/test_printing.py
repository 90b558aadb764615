"""What `verbose` prints: a table of epochs, or a live bar."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout

import numpy as np
import pytest
from sklearn.datasets import load_iris

from skdeep import DeepClassifier
from skdeep.estimators import live
from skdeep.estimators.printing import EpochPrinter

X, y = load_iris(return_X_y=True)


def classifier(**params):
    return DeepClassifier(**{"max_epochs": 3, "tol": None, "random_state": 0, **params})


def line(epoch, train_loss=1.0, val_loss=np.nan, val_score=np.nan):
    return {"epoch": epoch, "train_loss": train_loss, "val_loss": val_loss, "val_score": val_score, "seconds": 0.5}


def marks(printer, lines, capsys):
    """Return the epochs that got a star."""
    for values in lines:
        printer(values)
    shown = capsys.readouterr().out.splitlines()[1:]
    return [int(text.split("/")[0]) for text in shown if "*" in text]


def test_a_star_marks_the_best_epoch_so_far(capsys):
    losses = [3.0, 2.0, 2.0, 2.5, 1.0, np.nan]
    assert marks(EpochPrinter(6), [line(i + 1, loss) for i, loss in enumerate(losses)], capsys) == [1, 2, 5]


def test_the_latest_of_equal_epochs_is_marked_if_it_is_kept(capsys):
    losses = [3.0, 2.0, 2.0, 2.5]
    assert marks(EpochPrinter(4, keeps_latest=True), [line(i + 1, loss) for i, loss in enumerate(losses)], capsys) == [
        1,
        2,
        3,
    ]


def test_epochs_are_compared_by_score_then_validation_loss(capsys):
    by_score = [line(1, 1.0, 1.0, 0.5), line(2, 0.5, 0.5, 0.4), line(3, 0.7, 0.7, 0.9)]
    assert marks(EpochPrinter(3), by_score, capsys) == [1, 3]
    by_loss = [line(1, 1.0, 1.0), line(2, 0.5, 1.5), line(3, 0.7, 0.7)]
    assert marks(EpochPrinter(3), by_loss, capsys) == [1, 3]


def test_the_last_star_is_at_the_best_epoch(capsys):
    for scoring in (None, "accuracy"):
        model = classifier(verbose=1, early_stopping=True, scoring=scoring, max_epochs=12).fit(X, y)
        starred = [text for text in capsys.readouterr().out.splitlines() if "*" in text]
        assert int(starred[-1].split("/")[0]) == model.best_epoch_


def test_columns_are_aligned_whatever_their_values(capsys):
    printer = EpochPrinter(1000)
    for values in (line(1, 123.456, 1.0, 1.0), line(10, 1e-9, 99999.5, -0.25), line(1000, 0.1, 0.2, 0.3)):
        printer(values)
    shown = capsys.readouterr().out.splitlines()
    assert len({len(text) for text in shown}) == 1
    assert shown[0].split() == ["epoch", "train", "loss", "val", "loss", "val", "score", "seconds"]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_a_live_bar_shows_the_epochs(terminal):
    pytest.importorskip("rich")
    with redirect_stdout(terminal):
        model = classifier(verbose=2).fit(X, y)
    shown = terminal.getvalue()
    assert "epoch 3/3" in shown
    assert f"train {model.history_.train_loss.iloc[-1]:.4f}" in shown
    assert live._one_at_a_time.acquire(blocking=False)  # the terminal was given back
    live._one_at_a_time.release()


def test_the_terminal_is_given_back_after_an_error(terminal):
    pytest.importorskip("rich")

    def score(estimator, X, y):
        raise KeyError("no score")

    with pytest.raises(KeyError), redirect_stdout(terminal):
        classifier(verbose=2, early_stopping=True, scoring=score).fit(X, y)
    assert live._one_at_a_time.acquire(blocking=False)
    live._one_at_a_time.release()
    assert terminal.getvalue().endswith(("\x1b[?25h", "\n"))  # the cursor is shown again


def test_a_second_bar_becomes_lines(terminal):
    with live._one_at_a_time, redirect_stdout(terminal):
        classifier(verbose=2).fit(X, y)
    assert terminal.getvalue().splitlines()[1].split()[0] == "1/3"


def test_lines_where_the_output_is_no_terminal(capsys):
    classifier(verbose=2).fit(X, y)
    assert [text.split()[0] for text in capsys.readouterr().out.splitlines()] == ["epoch", "1/3", "2/3", "3/3"]


def test_without_rich_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    classifier(verbose=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Install rich to see a live bar: pip install 'skdeep-flax[progress]'."
    assert lines[2].split()[0] == "1/3"


def test_nothing_is_printed_unless_asked(capsys):
    classifier().fit(X, y)
    assert capsys.readouterr().out == ""
