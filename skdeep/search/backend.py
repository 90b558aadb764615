"""joblib's backend "skdeep": the fits of a search in threads that share programs, or as lanes of one program."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Any

from joblib.parallel import ParallelBackendBase, SequentialBackend

from skdeep.core.together import MODES, MOST_LANES, Company, Mode, n_cores, uses_lanes


class SkdeepBackend(ParallelBackendBase):
    """A backend for joblib, by its documented interface (joblib 1.5 and later). `import skdeep` registers it as "skdeep".

    On a CPU, fits run in as many threads as there are cores. They share compiled programs, and wait for the first compile instead of
    repeating it. On an accelerator, fits that stack become lanes of one program (see `skdeep.fit_many`).

    Parameters
    ----------
    mode : {"auto", "threads", "lanes"}, default="auto"
        "auto" takes lanes on accelerators and threads on CPUs.

    Examples
    --------
    >>> import skdeep
    >>> from joblib import parallel_config
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> model = skdeep.DeepClassifier(max_epochs=50, tol=None, random_state=0)
    >>> with parallel_config("skdeep"):
    ...     search = GridSearchCV(model, {"learning_rate": [0.003, 0.01]}, cv=2).fit(*load_iris(return_X_y=True))
    >>> bool(search.best_score_ > 0.8)
    True
    """

    default_n_jobs = -1
    uses_threads = True
    supports_sharedmem = True
    supports_retrieve_callback = True

    def __init__(self, nesting_level: int | None = None, mode: Mode = "auto", **others: Any) -> None:
        if mode not in MODES:
            raise ValueError(
                f"The 'mode' parameter of the backend 'skdeep' must be one of {list(MODES)}. Got {mode!r} instead."
            )
        super().__init__(nesting_level=nesting_level, **others)
        self._mode = mode
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        self._company: Company | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return the number of fits at the same time; None and -1 mean all cores, or as many lanes as one program takes."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        # joblib hands out twice as many fits as there are jobs before one of them ends.
        most = MOST_LANES // 2 if uses_lanes(self._mode) else n_cores()
        if n_jobs is None or n_jobs == -1:
            return most
        return max(1, n_cores() + 1 + n_jobs) if n_jobs < 0 else n_jobs

    def configure(
        self, n_jobs: int = 1, parallel: Any = None, prefer: Any = None, require: Any = None, **others: Any
    ) -> int:
        """Prepare for a call of `Parallel`, and return the number of fits at the same time."""
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            from joblib.parallel import FallbackToBackend

            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        self._n_jobs = n_jobs
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Any = None) -> Any:
        """Run a function in a thread; the future that is returned calls `callback` when it ends."""
        if self._pool is None or self._company is None:
            with_lanes = uses_lanes(self._mode)
            self._company = Company(with_lanes)
            self._pool = concurrent.futures.ThreadPoolExecutor(self._n_jobs * (2 if with_lanes else 1), "skdeep")
        future = self._pool.submit(self._company.task(func))
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return the result of a function that ended, or raise its exception."""
        return out.result()

    def terminate(self) -> None:
        """Wait for the threads to end."""
        pool, self._pool, self._company = self._pool, None, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Let trainings end after their current block, as after Ctrl-C or an exception."""
        if self._company is not None:
            self._company.stop()
        self.terminate()

    def get_nested_backend(self) -> Any:
        """Return the backend for `Parallel` inside a fit: its trainings run one after the other."""
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None
