"""`save`, `load` and `inspect`: a fitted estimator as one file without code."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib import metadata
from typing import Any, NamedTuple

from skdeep.atomic_files import write_atomically
from skdeep.errors import CorruptModelError, ModelFileError, UnserializableParameterError
from skdeep.persistence.container import from_bytes as contents_of
from skdeep.persistence.container import header_end, is_digest, read_manifest, to_bytes
from skdeep.persistence.decoding import Decoder
from skdeep.persistence.encoding import Encoder
from skdeep.persistence.files import opened, read_bounded
from skdeep.persistence.lookup import Plugins
from skdeep.persistence.own import Given, OwnObjects
from skdeep.persistence.records import ESTIMATORS, name_of
from skdeep.persistence.shapes import check_shapes

MAX_BYTES = 4 * 2**30
_PACKAGES = ("skdeep-flax", "jax", "flax", "optax", "numpy", "scikit-learn")


class ModelInfo(NamedTuple):
    """The description of a model file that `inspect` returns.

    Parameters
    ----------
    estimator : str
        The class of the estimator.
    params : dict
        Its parameters as the file holds them: JSON, with tags such as "$component" for values that are not plain.
    is_fitted : bool
    created_by : dict
        Versions of Python and of the packages that decide numbers.
    components : list of [kind, full id]
        The registered components that `load` makes.
    own : dict
        By parameter: the objects of the user that `load` must be given.
    arrays : dict of (dtype, shape)
        The arrays by name, with safetensors' names of types.
    format_version : tuple of two int
    n_bytes : int
        The size of the file.
    """

    estimator: str
    params: dict[str, Any]
    is_fitted: bool
    created_by: dict[str, str]
    components: list[list[str]]
    own: dict[str, Any]
    arrays: dict[str, tuple[str, tuple[int, ...]]]
    format_version: tuple[int, int]
    n_bytes: int


def save(estimator: Any, path: str | os.PathLike[str]) -> str:
    """Save an estimator of skdeep, fitted or not, as one file that holds data and no code.

    The file is in safetensors' layout, which other programs can read: arrays under the names of attributes, such as
    `params_/Dense_0/kernel`, and one metadata entry "skdeep" with everything else as JSON. It is written in one step, so that no
    reader finds half of it.

    Modules, components and functions of your own, in the parameters, are stored by name only; `load` must be given them again.
    Components that are registered (`skdeep.register`, plugins) are stored by their names and fields.

    Parameters
    ----------
    estimator : estimator of skdeep
        Also an ensemble. For a `Pipeline` see `skdeep/docs/saving.md`.
    path : path-like
        By convention with the ending ".skdeep".

    Returns
    -------
    str
        The SHA-256 digest of the file, for `load(path, expect_sha256=...)`.

    Raises
    ------
    UnserializableParameterError
        If a parameter or attribute cannot be stored; a TypeError. The message says what to do.
    OSError
        If the file cannot be written. An earlier file of this name stays as it was.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import skdeep
    >>> X, y = np.eye(4), np.array(["a", "b", "a", "b"])
    >>> model = skdeep.DeepClassifier(max_epochs=2, tol=None, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.skdeep")
    ...     digest = skdeep.save(model, path)
    ...     loaded = skdeep.load(path, expect_sha256=digest)
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    data = dumped(estimator)
    write_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def load(
    path: str | os.PathLike[str],
    *,
    network: Any = None,
    plugins: Plugins = "installed",
    expect_sha256: str | None = None,
    max_bytes: int = MAX_BYTES,
    **own: Any,
) -> Any:
    """Load an estimator from a file that `save` wrote. The file may come from anybody: it holds no code, and runs none.

    All data are checked first. Components are then looked up in the registry by name; a file cannot name modules or paths. The shapes of
    the parameters are compared with those that the network would have, before the network gets any memory.

    The digests in the file show damage, not who made it: whoever can change a file can also change these. To be sure that
    it is the file that you expect, give `expect_sha256`.

    Parameters
    ----------
    path : path-like
        A regular file; symbolic links are followed.
    network : object, default=None
        The module or network of your own that the saved estimator had, built in the same way.
    plugins : {"installed", "builtin"} or list of str, default="installed"
        The packages whose components may be used: all that are installed and that `SKDEEP_PLUGINS` allows, none, or these
        distributions.
    expect_sha256 : str or None, default=None
        The SHA-256 digest that the file must have, as `save` returned it and `sha256sum` prints it.
    max_bytes : int, default=4 GiB
        Larger files are refused.
    **own : object
        Other objects of your own, by the parameter that held them: `loss`, `optimizer`, `encoder`, `scoring`, ...

    Returns
    -------
    estimator

    Raises
    ------
    CorruptModelError
        If the file is damaged, or is no model file.
    UnsupportedModelError
        If it needs a newer version of skdeep.
    MissingComponentError
        If prediction needs a package that is not installed, or an object of your own was not given. If only training needs a missing
        package, `fit` and `partial_fit` of the estimator raise this error.
    ModelMismatchError
        If its parts, or the objects that were given, do not fit each other.
    ModelFileError
        The base of these errors, a ValueError; also if the file is too large or no regular file, or has another digest.
    OSError
        If it cannot be read.
    """
    data = read_bounded(path, max_bytes)
    try:
        _check_digest(data, expect_sha256)
        return loaded(data, {"network": network, **own}, plugins)
    except ModelFileError as err:
        err.add_note(f"The file is {os.fspath(path)!r}.")
        raise


def inspect(path: str | os.PathLike[str]) -> ModelInfo:
    """Return the description of a model file. Only its header is read: no array, no component, no code.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ModelInfo

    Raises
    ------
    CorruptModelError, UnsupportedModelError, ModelFileError, OSError
        As in `load`. Damage of arrays is not noticed.
    """
    with opened(path, MAX_BYTES) as (file, n_bytes):
        start = file.read(8)
        manifest = read_manifest(start + file.read(header_end(start) - len(start)), n_bytes)
    node = manifest.get("estimator")
    if not isinstance(node, dict) or not isinstance(node.get("class"), str) or node["class"] not in ESTIMATORS:
        raise CorruptModelError("The file holds no estimator.")
    return ModelInfo(
        estimator=node["class"],
        params=node.get("params", {}),
        is_fitted=bool(node.get("fitted")),
        created_by=manifest.get("created_by", {}),
        components=manifest.get("components", []),
        own=manifest.get("own", {}),
        arrays={name: (row[0], tuple(row[1])) for name, row in manifest["tensors"].items()},
        format_version=tuple(manifest["format_version"]),
        n_bytes=n_bytes,
    )


def dumped(estimator: Any) -> bytes:
    """Return the bytes of an estimator's model file, as `save` writes them."""
    if name_of(type(estimator)) not in ESTIMATORS:
        raise UnserializableParameterError(
            f"skdeep.save() saves the estimators of skdeep: {', '.join(sorted(ESTIMATORS))}. Got a {type(estimator).__name__}. Save a "
            "Pipeline with skops.io.dump, which holds no code either, or with joblib.dump, whose files run code when they are loaded."
        )
    try:
        own = OwnObjects(estimator)
        encoder = Encoder(own)
        node = encoder.estimator(estimator)
    except RecursionError as err:
        raise UnserializableParameterError(
            f"A parameter of {type(estimator).__name__} contains itself, or is nested too deeply."
        ) from err
    manifest = {
        "created_by": {"python": platform.python_version(), **{name: metadata.version(name) for name in _PACKAGES}},
        "required_features": [],
        "components": sorted(map(list, encoder.components)),
        "own": own.described(),
        "estimator": node,
    }
    data = to_bytes(manifest, encoder.arrays)
    _check_loads(estimator, data)
    return data


def loaded(data: bytes, own: dict[str, Any], plugins: Plugins) -> Any:
    """Return the estimator in the bytes of a model file; errors as in `load`."""
    manifest, arrays = contents_of(data)
    decoder = Decoder(arrays, Given(own, manifest.get("own", {})), plugins)
    estimator = decoder.estimator(manifest.get("estimator"))
    decoder.check_all_used()
    check_shapes(estimator)
    return estimator


def _check_loads(estimator: Any, data: bytes) -> None:
    """Raise UnserializableParameterError if `load` would refuse the file: for its limits, or for edited attributes."""
    try:
        read_manifest(data[: header_end(data)], len(data))
        check_shapes(estimator)
    except ModelFileError as err:
        raise UnserializableParameterError(
            f"This {type(estimator).__name__} cannot be saved, because load would refuse it: {err}"
        ) from err


def _check_digest(data: bytes, expected: str | None) -> None:
    if expected is None:
        return
    found = hashlib.sha256(data).hexdigest()
    if not isinstance(expected, str) or not is_digest(expected.strip().lower()):
        raise ValueError(
            f"expect_sha256 must be the 64 hexadecimal digits of a SHA-256 digest. Got {expected!r} instead."
        )
    if found != expected.strip().lower():
        raise ModelFileError(
            f"The file has the SHA-256 digest {found}, not {expected!r} as expected. It is another file."
        )
