"""The part of `fit` that all estimators share: what a training asks an estimator for, and what it leaves there."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np

from skdeep.config import FitConfig, Model
from skdeep.core.drivers.steps import Steps
from skdeep.core.feeds import EpochOrder
from skdeep.core.history import History, joined_history
from skdeep.core.job import Job
from skdeep.core.raw import hashable, total_width
from skdeep.core.rows import WeightedRows
from skdeep.estimators.callbacks import CallbackSupportMixin
from skdeep.estimators.fitted import FittedNetwork
from skdeep.estimators.memory import Memory
from skdeep.estimators.nested import NestedParameters
from skdeep.estimators.prepare import Draft, Earlier, Split, check_serves
from skdeep.estimators.resolve import Resolved
from skdeep.estimators.scoring import EstimatorScore, ScoredRows
from skdeep.records import Outcome, Task, TrainState


def check_some_weight(weight: np.ndarray) -> None:
    """Raise ValueError if no sample has a positive weight."""
    if not (weight > 0).any():
        raise ValueError("Sample weights must contain at least one positive weight. Got all zero.")


class TrainedEstimator(CallbackSupportMixin, NestedParameters, FittedNetwork):
    """Base of all estimators: the answers that `prepare` asks for, and what becomes of an outcome.

    `prepare` calls the methods in the order in which they stand here.
    """

    _default_loss: ClassVar[str]
    _trains_losses: ClassVar[bool] = False
    """Whether losses may have parameters of their own, and predict other columns than those of y."""
    scoring: Any = "loss"  # a parameter where rows and targets are arrays that a scorer knows
    _memory: Memory | None = None

    if TYPE_CHECKING:  # the leaf classes declare the parameters

        def __getattr__(self, name: str) -> Any: ...

    def _store(self, parameters: dict[str, Any]) -> None:
        """Keep the parameters of a constructor, its `locals()`, as they are."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    @abstractmethod
    def _check_parameters(self, is_partial: bool) -> None:
        """Raise ValueError or TypeError when a parameter is not what it must be."""

    @abstractmethod
    def _earlier(self, is_partial: bool) -> Earlier | None:
        """Return the fit that training goes on from, with the user's edits of its parameters; None to begin anew."""

    @abstractmethod
    def _read(self, data: Any, earlier: Earlier | None) -> tuple[Any, WeightedRows]:
        """Validate X, y and weights; return the encoding and the rows, with targets that can be compared.

        The encoding is that of the earlier fit in a later `partial_fit`, else a new one, whose scale of y comes later.
        """

    @abstractmethod
    def _resolve(self, encoding: Any) -> Resolved:
        """Return the components that the parameters stand for, the network being all that is trained."""

    def _check_serves(self, resolved: Resolved, task: Task) -> None:
        """Raise ValueError if loss or optimizer cannot serve this task and these parameters."""
        check_serves(self, resolved, task)

    @abstractmethod
    def _check_goes_on(self, encoding: Any, resolved: Resolved, model: Model, earlier: Earlier | None) -> None:
        """Raise ValueError if training cannot go on from the earlier fit with these components and data."""

    @abstractmethod
    def _drafted(self, draft: Draft) -> Draft:
        """Return the draft with the key, and the first parameters if they are drawn on the host."""

    @abstractmethod
    def _split(self, given: WeightedRows, data: Any, draft: Draft) -> tuple[Draft, Split]:
        """Return rows to train on and to validate on, in units of training, and the draft with the scale of y."""

    def _check_batch_size(self, n: int) -> None:
        """Look at a batch size that is given for `n` rows."""

    @abstractmethod
    def _config(self, draft: Draft, split: Split, monitor: Any) -> FitConfig:
        """Return the configuration of training, with Python's numbers."""

    @abstractmethod
    def _start_state(self, config: FitConfig, counts: tuple[Any, Any], draft: Draft) -> TrainState:
        """Return the state before the first step; the configuration's numbers are cast."""

    @abstractmethod
    def _order(self, n: int, draft: Draft) -> EpochOrder:
        """Return the order of the rows in each epoch."""

    @property
    @abstractmethod
    def _max_epochs(self) -> int:
        """The largest number of epochs of a `fit`."""

    @property
    def _driver(self) -> Any:
        """What trains."""
        return Steps()

    def _scorer(self, scored: ScoredRows, must_be_number: bool) -> EstimatorScore:
        """Return the function of parameters that scores rows."""
        raise NotImplementedError

    @abstractmethod
    def _history_to_extend(self, draft: Draft) -> History | None:
        """Return the history that this training extends, if it does."""

    def _adopt(self, job: Job) -> None:
        """Take what is known before training, so that callbacks and scorers can predict."""
        self._encoding, self._model = job.encoding, job.config.model
        self.n_outputs_ = total_width(hashable(job.config.loss.n_raw(job.encoding.task)))

    @abstractmethod
    def _printer(self, job: Job) -> Any:
        """Return what prints the lines of `verbose`."""

    def _absorb(self, job: Job, outcome: Outcome) -> None:
        """Keep the result of training; raise NonFiniteLossError if nothing of use is left."""
        self._history = joined_history(job.origin.history, outcome.history)
        self.n_iter_ = outcome.n_epochs

    @abstractmethod
    def _fitted_attributes(self) -> dict[str, Any]:
        """Return what callbacks get at the end of a fit."""

    @abstractmethod
    def _report(self, job: Job, outcome: Outcome) -> None:
        """Pass Ctrl-C on, or warn if training did not end well."""


def n_parameters(params: Any) -> int:
    """Return how many numbers are trained."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
