"""Kill fits, searches and saves at random moments, start them again, and report what they end with.

Run as a program: `python kills.py {fit,search,save} FOLDER N_KILLS SEED` prints one line of JSON. The process imports everything
once and forks before JAX starts, so that each of the killed processes begins at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import optax  # noqa: F401  # imported before the forks
from sklearn.model_selection import GridSearchCV

from skdeep import Checkpoint, DeepClassifier, enable_compile_cache, save
from skdeep.errors import ModelFileError
from skdeep.networks import MLP
from skdeep.persistence.container import from_bytes

RNG = np.random.RandomState(0)
X = RNG.randn(600, 20).astype(np.float32)
Y = np.digitize(X[:, 0] + X[:, 1], [-0.6, 0.6])


def digest_of(*parts: Any) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()


def fit(folder: Path | None) -> str:
    """Fit with checkpoints in a folder, and return a digest of the result without times."""
    model = DeepClassifier(
        network=MLP(widths=(32,), dropout_rate=0.2),
        batch_size=16,
        max_epochs=150,
        tol=None,
        early_stopping=True,
        random_state=0,
        checkpoint=None if folder is None else Checkpoint(folder, every_seconds=0.005),
    ).fit(X, Y)
    history = model.history_.drop(columns="seconds").to_numpy()
    return digest_of(history, *_leaves(model.params_), model.best_epoch_)


def search(folder: Path | None) -> str:
    """Search with checkpoints in a folder, and return a digest of the results without times."""
    model = DeepClassifier(
        network=MLP(widths=(8,)),
        batch_size=16,
        tol=None,
        random_state=0,
        checkpoint=None if folder is None else Checkpoint(folder, every_seconds=0.005),
    )
    found = GridSearchCV(model, {"learning_rate": [1e-3, 1e-2], "max_epochs": [10, 40]}, cv=3).fit(X, Y)
    scores = [values for name, values in sorted(found.cv_results_.items()) if "score" in name and "time" not in name]
    return digest_of(*scores, *_leaves(found.best_estimator_.params_))


def save_often(folder: Path | None) -> str:
    """Save two models in turn under the same name, 2,000 times at most; without a folder make them, and return their digests."""
    pickles = Path(sys.argv[2]) / "models"
    if folder is None:
        models = [DeepClassifier(network=MLP(widths=(width,)), random_state=0) for width in (200, 400)]
        models = [model.set_params(max_epochs=1, tol=None).fit(X, Y) for model in models]
        joblib.dump(models, pickles)
        return json.dumps([digest_of(model.params_["Dense_0"]["kernel"]) for model in models])
    models = joblib.load(pickles)
    folder.mkdir(exist_ok=True)
    for i in range(2000):
        save(models[i % 2], folder / "model.skdeep")
    return ""


def _leaves(params: Any) -> list[Any]:
    import jax

    return jax.tree.leaves(params)


def forked(function: Callable[[Path | None], str], folder: Path | None, result: Path) -> int:
    """Run a function in a forked process, which writes the result to a file; return the process's id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        found = function(folder)
        part = result.with_suffix(".part")
        part.write_text(found)
        part.rename(result)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def ended(pid: int) -> int:
    """Wait for a process, and return its exit status: negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def seconds_until(condition: Callable[[], bool], pid: int) -> None:
    """Wait until a condition is true, or a process has ended."""
    while not condition() and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.002)


def main(what: str, root: Path, n_kills: int, seed: int) -> dict[str, Any]:
    """Return how many processes were killed, the result of one that was not, and the expected result."""
    function = {"fit": fit, "search": search, "save": save_often}[what]
    enable_compile_cache(root / "programs")  # or most of the time is compiling, in each process again
    rng, n_killed, bad = random.Random(seed), 0, []
    assert ended(forked(function, None, root / "expected")) == 0
    expected = (root / "expected").read_text()
    n_runs = 0
    found = None
    while n_killed < n_kills:
        folder = root / f"run{n_runs}"
        n_runs += 1
        result = root / f"result{n_runs}"
        while n_killed < n_kills:
            before = _newest_in(folder)
            pid = forked(function, folder, result)
            # Compiling takes most of the time of a short process: the moment counts from the first file that it writes.
            seconds_until(lambda before=before, folder=folder: _newest_in(folder) != before, pid)
            time.sleep(rng.uniform(0, 0.15))
            os.kill(pid, signal.SIGKILL)
            status = ended(pid)
            n_killed += status == -signal.SIGKILL
            bad += [status] if status not in (0, -signal.SIGKILL) else []
            if what == "save":
                bad += _bad_model(folder / "model.skdeep", json.loads(expected))
            if result.exists():
                break
        if what != "save":
            if not result.exists():
                bad += [status for status in [ended(forked(function, folder, result))] if status != 0]
            found = result.read_text()
            bad += [found] if found != expected else []
    return {"killed": n_killed, "runs": n_runs, "bad": bad, "found": found, "expected": expected}


def _newest_in(folder: Path) -> float:
    """Return when the newest file below a folder was written."""
    found = 0.0
    for path in folder.rglob("*.checkpoint") if folder.is_dir() else ():
        try:
            found = max(found, path.stat().st_mtime)
        except FileNotFoundError:  # removed meanwhile
            continue
    model = folder / "model.skdeep"
    return max(found, model.stat().st_mtime if model.exists() else 0.0)


def _bad_model(path: Path, expected: list[str]) -> list[str]:
    """Return the error of a model file that is damaged, or is neither of the two models."""
    if not path.exists():
        return []
    try:
        arrays = from_bytes(path.read_bytes()).arrays
    except ModelFileError as err:
        return [repr(err)]
    return [] if digest_of(arrays["params_/Dense_0/kernel"]) in expected else [f"another model: {sorted(arrays)}"]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
