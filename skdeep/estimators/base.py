"""The base class of all estimators: the methods that `prepare` calls, and those that store an outcome."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np

from skdeep.config import FitConfig, Model
from skdeep.contract import Network
from skdeep.core.drivers.steps import Steps
from skdeep.core.feeds import EpochOrder
from skdeep.core.job import Job
from skdeep.core.raw import hashable, total_width
from skdeep.core.rows import WeightedRows
from skdeep.estimators.callbacks import CallbackSupportMixin
from skdeep.estimators.fitted import FittedNetwork
from skdeep.estimators.memory import Memory
from skdeep.estimators.nested import NestedParameters
from skdeep.estimators.notebook import NotebookView
from skdeep.estimators.prepare import Beginning, Draft, Earlier, Split, check_serves
from skdeep.estimators.resolve import Resolved
from skdeep.estimators.scoring import EstimatorScores, ScoredRows
from skdeep.history import History, joined_history
from skdeep.records import Outcome, Task, TrainState


def check_some_weight(weight: np.ndarray) -> None:
    """Raise ValueError if no sample has a positive weight."""
    if not (weight > 0).any():
        raise ValueError("Sample weights must contain at least one positive weight. Got all zero.")


class TrainedEstimator(NotebookView, CallbackSupportMixin, NestedParameters, FittedNetwork):
    """Base of all estimators: the methods that `prepare` calls, and those that store and report an outcome.

    They are defined here in about the order of the calls.
    """

    _default_loss: ClassVar[str]
    _trains_losses: ClassVar[bool] = False
    """Whether losses may have parameters of their own, and predict other columns than those of y."""
    scoring: Any = "loss"  # the Deep estimators of arrays have parameters of these names
    metrics: Any = None
    _memory: Memory | None = None

    if TYPE_CHECKING:  # the leaf classes declare the parameters

        def __getattr__(self, name: str) -> Any: ...

    def _store(self, parameters: dict[str, Any]) -> None:
        """Set an attribute for each parameter of the constructor, unchanged; `parameters` are its `locals()`."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    @abstractmethod
    def _check_parameters(self, is_partial: bool) -> None:
        """Raise ValueError or TypeError if a parameter is invalid."""

    @abstractmethod
    def _earlier(self, is_partial: bool) -> Earlier | None:
        """Return the fit that training continues, with the user's edits of its parameters; None for new parameters."""

    @abstractmethod
    def _read(self, data: Any, earlier: Earlier | None) -> tuple[Any, WeightedRows]:
        """Validate X, y and weights; return the encoding, and the rows with targets in the units of y.

        After the first `partial_fit`, the target encoding is that of the earlier fit. Otherwise it is new, and `_split`
        adds the scale of y.
        """

    def _choose_parameters(self, encoding: Any, given: WeightedRows) -> None:
        """Set parameters that depend on the data; the estimator that the user holds keeps its own."""

    @abstractmethod
    def _resolve(self, encoding: Any) -> Resolved:
        """Return the components that the parameters stand for; the network includes every part that is trained."""

    def _check_serves(self, resolved: Resolved, task: Task) -> None:
        """Raise ValueError if the loss does not serve the task, or a full-batch optimizer gets a batch size."""
        check_serves(self, resolved, task)

    def _encoded_for(self, network: Network, encoding: Any, given: WeightedRows) -> tuple[Any, WeightedRows]:
        """Return the encoding and the rows as the network takes them."""
        return encoding, given

    @abstractmethod
    def _check_goes_on(self, encoding: Any, resolved: Resolved, model: Model, earlier: Earlier | None) -> None:
        """Raise ValueError if training cannot continue from the earlier fit with these components and data."""

    @abstractmethod
    def _drafted(self, draft: Draft) -> Draft:
        """Return the draft with the random key, and with the initial parameters if they are drawn on the host."""

    @abstractmethod
    def _split(self, given: WeightedRows, data: Any, draft: Draft) -> tuple[Draft, Split]:
        """Return the draft with the scale of y, and the training and validation rows with encoded targets."""

    def _check_batch_size(self, n: int) -> None:
        """Warn if the given batch size does not fit `n` rows; no check by default."""

    @abstractmethod
    def _config(self, draft: Draft, split: Split, monitor: Any) -> FitConfig:
        """Return the configuration of training, with Python floats as its traced numbers."""

    @abstractmethod
    def _start_state(self, config: FitConfig, beginning: Beginning, draft: Draft) -> TrainState:
        """Return the state before the first step; the numbers of `config` are cast to the training dtype already."""

    @abstractmethod
    def _order(self, train: Any, draft: Draft) -> EpochOrder:
        """Return the order of the rows in each epoch."""

    @property
    @abstractmethod
    def _max_epochs(self) -> int:
        """The largest number of epochs of a `fit`."""

    @property
    def _driver(self) -> Any:
        """The driver of the job: it runs the training loop."""
        return Steps()

    def _scores(self, scored: ScoredRows, must_be_number: bool) -> EstimatorScores:
        """Return the function `f(params, model_state)` that scores these rows."""
        raise NotImplementedError

    @abstractmethod
    def _history_to_extend(self, draft: Draft) -> History | None:
        """Return the history that this training extends, or None."""

    def _adopt(self, job: Job) -> None:
        """Set the attributes that are known before training, so that callbacks and scorers can predict."""
        self._encoding, self._model = job.encoding, job.config.model
        self.n_outputs_ = total_width(hashable(job.config.loss.n_raw(job.encoding.task)))

    @abstractmethod
    def _printer(self, job: Job) -> Any:
        """Return the printer for `verbose`."""

    def _absorb(self, job: Job, outcome: Outcome) -> None:
        """Store the result of training; raise NonFiniteLossError if training diverged and no best parameters were kept."""
        self._history = joined_history(job.origin.history, outcome.history)
        self.n_iter_ = outcome.n_epochs

    @abstractmethod
    def _fitted_attributes(self) -> dict[str, Any]:
        """Return the fitted attributes that callbacks get at the end of a fit."""

    @abstractmethod
    def _report(self, job: Job, outcome: Outcome) -> None:
        """Raise KeyboardInterrupt or warn if training was interrupted; warn if it did not converge."""


def n_parameters(params: Any) -> int:
    """Return the number of scalars in the parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
