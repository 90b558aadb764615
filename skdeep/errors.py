"""The exception classes, and messages that are raised in several places."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_OTHER_NAMES = {
    "loss": {
        "squared_error": "mse mean_squared_error mseloss l2 l2_loss square_loss",
        "absolute_error": "mae mean_absolute_error l1 l1_loss l1loss",
        "huber": "smooth_l1 smooth_l1_loss huber_loss",
        "quantile": "pinball pinball_loss quantile_loss",
        "cross_entropy": "bce bce_with_logits bcewithlogits binary_crossentropy binary_cross_entropy crossentropy "
        "categorical_crossentropy categorical_cross_entropy sparse_categorical_crossentropy "
        "sparse_categorical_cross_entropy cross_entropy_loss crossentropyloss softmax_cross_entropy ce logloss "
        "logistic nll nll_loss nllloss log",
        "bernoulli": "bce binary_crossentropy binary_cross_entropy",
        "gaussian_nll": "nll nll_loss gaussian_nll_loss gaussiannllloss heteroscedastic",
        "poisson": "poisson_nll poisson_nll_loss poissonnllloss",
    },
    "optimizer": {
        "adamw": "adam_w",
        "sgd": "momentum nesterov stochastic_gradient_descent",
        "rmsprop": "rms_prop",
        "adagrad": "ada_grad",
        "lbfgs": "l_bfgs l_bfgs_b l-bfgs l-bfgs-b bfgs",
    },
}
"""Names of the same components in other libraries, in lower case, by our names."""
_USES = {"cross_entropy": "classes", "bernoulli": "numbers in [0, 1]", "gaussian_nll": "numbers and their spread"}
"""The targets of components that have the same name in another library."""


class ComponentError(Exception):
    """A name could not be turned into a component; base of all errors of this kind."""


class UnknownComponentError(ComponentError, ValueError):
    """No component of this name exists; the message gives the nearest match and the known names."""


class AmbiguousComponentError(ComponentError, ValueError):
    """A bare name is offered by more than one package; the message gives the full ids."""


class ComponentExistsError(ComponentError, ValueError):
    """A name is taken: by a built-in, or by another object registered earlier."""


class PluginError(ComponentError):
    """An installed package offers the component, but it cannot be used; base of the errors below."""


class PluginLoadError(PluginError, ImportError):
    """A plugin's module could not be imported, or has no such attribute; the cause is chained."""


class PluginIncompatibleError(PluginError, ImportError):
    """A plugin requires another version of skdeep, or of the plugin interface."""


class PluginBlockedError(PluginError, ImportError):
    """`SKDEEP_PLUGINS` or `SKDEEP_PLUGINS_DENY` blocks the package."""


class PluginContractError(PluginError, TypeError):
    """A plugin offers an object that cannot be used as the kind of component of its entry point."""


class InvalidFieldError(ValueError, TypeError):
    """A component class defines an invalid field, or a field was set to an invalid value."""


class UnknownFieldError(InvalidFieldError):
    """A field was set that the component does not have."""


class NonFiniteLossError(ArithmeticError, ValueError):
    """The loss or the parameters became NaN or infinite in training. A ValueError, which scikit-learn raises for this."""


class ProcessFailedError(RuntimeError):
    """Another process of a training in several processes failed, ended, or cannot be reached."""


class ModelFileError(ValueError):
    """A model file could not be loaded; base of the errors below."""


class CorruptModelError(ModelFileError):
    """A model file is damaged, or is no model file."""


class UnsupportedModelError(ModelFileError):
    """A model file has a format, or needs a feature, that this version of skdeep does not know."""


class MissingComponentError(ModelFileError):
    """A model file names a component that is not available here; the message says which package or object to give."""


class ModelMismatchError(ModelFileError):
    """The parts of a model file do not fit each other, or do not fit the object that was given to `load`."""


class UnserializableParameterError(TypeError):
    """A parameter or attribute of an estimator cannot be stored in a model file; the message says what to do."""


class CheckpointWarning(UserWarning):
    """A checkpoint could not be read or written, or does not help; training goes on without it."""


def unknown_name(kind: str, name: str, known: Iterable[str], hint: str = "") -> str:
    """Return the message for an unknown name of a component; `hint` is a further sentence."""
    ids = sorted(known)
    hint = f" {hint}" if hint else ""
    named = _named_elsewhere(kind, name, ids) or nearest(name, ids)
    return f"Unknown {kind} {name!r}.{named}{hint} Known: {', '.join(ids)}."


def unknown_field(owner: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a field that a component does not have."""
    names = list(known)
    fields = f"Its fields are: {', '.join(names)}." if names else "It has no fields."
    return f"Invalid field {name!r} for {owner}.{nearest(name, names)} {fields}"


def wrong_value(owner: str, name: str, wanted: str, value: object, what: str = "field") -> str:
    """Return the message for a field or class variable (`what`) with an invalid value."""
    return f"The {name!r} {what} of {owner} must be {wanted}. Got {value!r} instead."


def wrong_kind(parameter: str, value: object, wanted: str) -> str:
    """Return the message for a value of a parameter that cannot be used as the parameter's kind of component."""
    kind = getattr(value, "kind", None)
    what = f"{value!r}, which is {with_article(kind)}" if isinstance(kind, str) else repr(value)
    return f"The {parameter!r} parameter must be {wanted}. Got {what} instead."


def with_article(noun: str) -> str:
    """Return a noun with its article, such as "an optimizer" or "a loss"."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _named_elsewhere(kind: str, name: str, known: list[str]) -> str:
    """Return a sentence with our names of the component that another library calls `name`; "" if there is none."""
    others = _OTHER_NAMES.get(kind, {})
    names = [ours for ours, theirs in others.items() if name.lower() in theirs.split() and ours in known]
    if not names:
        return ""
    shown = map(repr, names) if len(names) == 1 else (f"{ours!r} ({_USES[ours]})" for ours in names)
    return f" It is called {' or '.join(shown)} here."


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the nearest known name, "" if none is near. Full ids are compared without package too."""
    bare_names = {full_id.rpartition(":")[2]: full_id for full_id in known}
    spellings = bare_names | {full_id: full_id for full_id in known}
    matches = [
        m for text in (name, name.rpartition(":")[2]) for m in difflib.get_close_matches(text, list(spellings), 1)
    ]
    return f" Did you mean {spellings[matches[0]]!r}?" if matches else ""
