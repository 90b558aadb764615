"""Ensembles of one estimator: members that differ by seed, bootstrap sample or fold, and out-of-fold predictions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.utils import _safe_indexing

from skdeep.core import stopping
from skdeep.core.job import Job
from skdeep.core.rows import WeightedRows
from skdeep.core.together import together
from skdeep.core.watcher import Watcher
from skdeep.estimators.checkpointing import run_job
from skdeep.estimators.parameters import AT_LEAST_ONE
from skdeep.estimators.prepare import Draft, begin, job_of
from skdeep.estimators.validation_split import checked_groups
from skdeep.records import Outcome

MEMBERS_CONSTRAINTS: dict[str, list[Any]] = {
    "n_estimators": [AT_LEAST_ONE],
    "bootstrap": ["boolean"],
    "cv": ["cv_object"],
}

# Attributes of a single fit, which an ensemble takes from its first member.
_SHARED = (
    "_encoding",
    "_model",
    "network_",
    "loss_",
    "optimizer_",
    "schedule_",
    "augmentation_",
    "resolved_components_",
    "n_outputs_",
    "preset_params_",
)
_OF_ENSEMBLES = ("estimators_", "weights_", "portfolio_", "oof_predictions_", "oof_score_")


class Share(NamedTuple):
    """The rows of a member: their positions, how often each is drawn, and the positions of the rows that it must not see."""

    rows: np.ndarray
    counts: np.ndarray | None = None
    left_out: np.ndarray | None = None


def is_ensemble(estimator: Any) -> bool:
    """Return True if the parameters ask for several members."""
    n_estimators, bootstrap, cv = (getattr(estimator, name, None) for name in ("n_estimators", "bootstrap", "cv"))
    return cv is not None or bool(bootstrap) or (isinstance(n_estimators, Integral) and int(n_estimators) > 1)


def forget_members(estimator: Any) -> None:
    """Remove the attributes of an earlier fit of an ensemble."""
    for name in _OF_ENSEMBLES:
        estimator.__dict__.pop(name, None)


def train_members(estimator: Any, data: Any) -> list[tuple[Any, Job, Outcome]]:
    """Train the members of an ensemble, and store them in the estimator.

    X and y are read once, so all members know the same columns, levels and classes, and share one program. What is learned from
    training rows (the scales of X and y) is learned by each member from its own. On a CPU, members train in as many threads
    as there are cores, at most; elsewhere one after the other.

    Parameters
    ----------
    estimator : SupervisedEstimator
        A copy of the user's estimator.
    data : FitData

    Returns
    -------
    list of (member, Job, Outcome)
    """
    if estimator.warm_start:
        raise ValueError(
            f"warm_start=True continues one network, but {type(estimator).__name__} has an ensemble of several. Set warm_start to False."
        )
    _refuse_positions(estimator)
    draft, given = begin(estimator, data)
    shares = list(_shares(estimator, data, draft, given))
    jobs = [_member_job(estimator, data, draft, given, share) for share in shares]
    outcomes = _run_all(estimator, [job for _, job in jobs])
    trained = [(member, job, outcome) for (member, job), outcome in zip(jobs, outcomes, strict=True)]
    for member, job, outcome in trained:
        member._absorb(job, outcome)
    members = [member for member, _, _ in trained]
    copy_shared(estimator, members[0], members)
    if any(share.left_out is not None for share in shares):
        _judge(estimator, data, given, shares)
    return trained


def _refuse_positions(estimator: Any) -> None:
    """Raise ValueError if validation rows are given by positions in X, but members get some rows of X only."""
    fraction = estimator.validation_fraction
    holds_positions = not isinstance(fraction, str | Real) and not hasattr(fraction, "split")
    if holds_positions and (estimator.cv is not None or estimator.bootstrap):
        raise ValueError(
            f"validation_fraction of {type(estimator).__name__} holds positions in X, but with cv or bootstrap each member gets other rows. "
            "Give a number or a splitter, or validation rows as X_val."
        )


def over_members(estimator: Any, function: Callable[[Any], np.ndarray]) -> np.ndarray:
    """Return a function of the estimator, or for an ensemble its weighted mean over the members."""
    members = estimator.__dict__.get("estimators_")
    if members is None:
        return function(estimator)
    found: np.ndarray = np.average([function(member) for member in members], axis=0, weights=weights_of(estimator))
    return found


def weights_of(estimator: Any) -> np.ndarray | None:
    """Return the weights of the members of an ensemble, None if all are equal."""
    return estimator.__dict__.get("weights_")


def _shares(estimator: Any, data: Any, draft: Draft, given: WeightedRows) -> Iterator[Share]:
    n = len(given.target)
    everything = np.arange(n)
    for _ in range(estimator.n_estimators):
        for rows, left_out in _splits(estimator, data, draft, given):
            if not estimator.bootstrap:
                yield Share(rows, None, left_out)
                continue
            drawn = _drawn(rows, checked_groups(data), n, draft.rng)
            is_unseen = drawn == 0
            if left_out is not None:
                is_unseen &= np.isin(everything, left_out)
            yield Share(np.flatnonzero(drawn), drawn[drawn > 0], np.flatnonzero(is_unseen))


def _drawn(rows: np.ndarray, groups: np.ndarray | None, n: int, rng: np.random.RandomState) -> np.ndarray:
    """Return how often each of the `n` rows is drawn: rows with replacement, or whole groups of them."""
    if groups is None:
        return np.bincount(rng.choice(rows, len(rows)), minlength=n)
    labels, codes = np.unique(groups[rows], return_inverse=True)
    of_group = np.bincount(rng.choice(len(labels), len(labels)), minlength=len(labels))
    drawn = np.zeros(n, dtype=np.int64)
    drawn[rows] = of_group[codes]
    return drawn


def _splits(
    estimator: Any, data: Any, draft: Draft, given: WeightedRows
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yield positions of training rows and of rows that are left out, None if there is no `cv`."""
    if estimator.cv is None:
        yield np.arange(len(given.target)), None
        return
    y = given.target if given.target.ndim == 1 else given.target[:, 0]
    stratifies = is_classifier(estimator) and given.target.ndim == 1
    is_empty = True
    for rows, left_out in folds(estimator.cv, y, checked_groups(data), stratifies, draft.rng):
        is_empty = False
        _check_split(estimator, rows, left_out, len(y))
        yield np.asarray(rows), np.asarray(left_out)
    if is_empty:
        raise ValueError(
            f"The 'cv' parameter of {type(estimator).__name__} yields no split. Give a splitter that does."
        )


def folds(cv: Any, y: np.ndarray, groups: np.ndarray | None, stratifies: bool, rng: np.random.RandomState) -> Any:
    """Return the splits of a number of random folds, of a splitter, or of an iterable of splits.

    Folds keep groups together if there are groups, else they have equal shares of classes if `stratifies`.
    """
    if not hasattr(cv, "split"):
        if np.iterable(cv):
            return iter(cv)
        kind: Any = GroupKFold if groups is not None else StratifiedKFold if stratifies else KFold
        cv = kind(cv, shuffle=True, random_state=int(rng.randint(2**31 - 1)))
    return cv.split(np.zeros((len(y), 1)), y, groups)


def _check_split(estimator: Any, rows: Any, left_out: Any, n: int) -> None:
    owner = type(estimator).__name__
    if not len(rows) or not len(left_out):
        raise ValueError(f"A split of the 'cv' parameter of {owner} has no rows on one side. Give another splitter.")
    if len(both := np.intersect1d(rows, left_out)):
        raise ValueError(
            f"A split of the 'cv' parameter of {owner} has {len(both)} rows on both sides. Give another splitter."
        )
    if max(np.max(rows), np.max(left_out)) >= n or min(np.min(rows), np.min(left_out)) < 0:
        raise ValueError(f"A split of the 'cv' parameter of {owner} has positions beyond the {n} rows of X.")


def _member_job(estimator: Any, data: Any, draft: Draft, given: WeightedRows, share: Share) -> tuple[Any, Job]:
    member = object.__new__(type(estimator))
    # The callbacks, and scikit-learn's record of this call, are those of the ensemble.
    kept = {name: value for name, value in vars(estimator).items() if "callback" not in name}
    member.__dict__.update(kept, n_estimators=1, bootstrap=False, cv=None)
    rows = given.take(share.rows)
    if share.counts is not None:
        rows = rows._replace(weight=rows.weight * share.counts)
    of_share = dataclasses.replace(data, **_rows_of(data, share.rows, len(given.target)))
    return member, job_of(member, member._drafted(draft), rows, of_share)


def _rows_of(data: Any, rows: np.ndarray, n: int) -> dict[str, Any]:
    """Return the arguments of `fit` that have one value per row, for some of the rows."""
    if len(rows) == n and (rows == np.arange(n)).all():
        return {}
    names = [name for name in ("X", "y", "sample_weight", "groups") if getattr(data, name, None) is not None]
    return {name: _safe_indexing(getattr(data, name), rows) for name in names}


def _run_all(estimator: Any, jobs: list[Job]) -> list[Outcome]:
    """Run the jobs of members at the same time. Raise KeyboardInterrupt after Ctrl-C."""

    def run_one(i: int) -> Outcome:
        outcome = run_job(estimator, jobs[i], Watcher())
        if estimator.verbose:
            print(f"member {i + 1} of {len(jobs)}: {outcome.n_epochs} epochs")
        return outcome

    calls = [functools.partial(run_one, i) for i in range(len(jobs))]
    outcomes = together(calls, "threads" if jobs[0].placement.is_cpu else "lanes")
    if any(outcome.status == stopping.INTERRUPTED for outcome in outcomes):
        raise KeyboardInterrupt
    return outcomes


def copy_shared(estimator: Any, source: Any, members: list[Any]) -> None:
    """Make an estimator an ensemble of these members, with the attributes that they share, from `source`."""
    for name in ("params_", "model_state_", "best_epoch_", "_history", "_form", "_memory"):
        estimator.__dict__.pop(name, None)
    forget_members(estimator)
    estimator.__dict__.update({name: getattr(source, name) for name in _SHARED if hasattr(source, name)})
    estimator.estimators_ = members
    estimator.n_iter_ = max(member.n_iter_ for member in members)
    estimator.n_parameters_ = sum(member.n_parameters_ for member in members)


def _judge(estimator: Any, data: Any, given: WeightedRows, shares: list[Share]) -> None:
    """Set the out-of-fold predictions and their score."""
    n = len(given.target)
    total: Any = None
    count = np.zeros(n)
    for member, share in zip(estimator.estimators_, shares, strict=True):
        if share.left_out is None or not len(share.left_out):
            continue
        found = member._oof(_safe_indexing(data.X, share.left_out))
        total = np.zeros((n, *found.shape[1:])) if total is None else total
        total[share.left_out] += found
        count[share.left_out] += 1
    if total is None:
        return
    known = count > 0
    total[~known] = np.nan
    total[known] /= count[known].reshape(-1, *(1,) * (total.ndim - 1))
    estimator.oof_predictions_ = total
    estimator.oof_score_ = estimator._oof_score(total[known], given.take(np.flatnonzero(known)))
