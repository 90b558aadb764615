"""Look up components by kind and name, and register names in this process.

A name is looked up first among the built-in components (entry points of skdeep's own distribution), then among the names
registered in this process, then among the plugins that the policy allows. The metadata of plugins is scanned only if
the first two do not have the name, and once more before a name counts as unknown. Only the named component is loaded.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from importlib import metadata
from typing import Any, Self, TypeVar, overload

from skdeep import discovery, errors
from skdeep.discovery import DISTRIBUTION, GROUPS, LOCAL, Plugin
from skdeep.known_plugins import KNOWN_PLUGINS
from skdeep.policy import is_allowed, normalised

Registered = TypeVar("Registered")


class CarriedName(str):
    """A registered name with its object, in the parameters of an estimator that came with a pickle.

    It equals the bare name, but means this object, whatever is registered under the name in this process.

    Parameters
    ----------
    name : str
        As the parameter holds it: "name" or "local:name".
    kind : str
    component : object
        The registered object; None if it could not be pickled or unpickled.
    data : bytes or None
        The object as it came with a pickle, so that it is passed on unchanged.
    reason : str
        Why there is no object.
    """

    kind: str
    component: Any
    data: bytes | None
    reason: str

    def __new__(cls, name: str, kind: str, component: Any, data: bytes | None = None, reason: str = "") -> Self:
        self = super().__new__(cls, name)
        self.kind, self.component, self.data, self.reason = kind, component, data, reason
        return self

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        from skdeep.carried import reduced_name

        return reduced_name(self)


_local: dict[tuple[str, str], Any] = {}
_adopted: dict[tuple[str, str], bytes] = {}
_left_behind: dict[tuple[str, str], str] = {}
_lock = threading.Lock()


def check_kind(kind: str) -> None:
    """Raise ValueError if there is no such kind of component."""
    if kind not in GROUPS:
        raise ValueError(f"The kind must be one of {list(GROUPS)}. Got {kind!r} instead.")


def get(kind: str, name: str) -> tuple[str, Any]:
    """Return the full id and the object of a name: a component, a component class, a function or a linen module.

    Parameters
    ----------
    kind : {"loss", "optimizer", "schedule", "layer", "network", "augmentation"}
    name : str
        A bare name, or `distribution:name`, or `local:name`.

    Raises
    ------
    UnknownComponentError
        If the name is unknown.
    AmbiguousComponentError
        If more than one package offers the bare name.
    PluginError
        If a package offers the name, but its plugin cannot be used: `PluginLoadError`, `PluginIncompatibleError`,
        `PluginContractError` or `PluginBlockedError`.

    Examples
    --------
    >>> from skdeep import registry
    >>> registry.get("optimizer", "adam")
    ('adam', <class 'skdeep.optimizers.adaptive.Adam'>)
    """
    bare = name.removeprefix(f"{LOCAL}:")
    if is_carried(kind, name):
        return f"{LOCAL}:{bare}", name.component  # type: ignore[attr-defined]  # a CarriedName
    builtin = name.removeprefix(f"{DISTRIBUTION}:")
    if builtin in _builtins()[kind]:
        return builtin, _builtins()[kind][builtin].load()
    if (kind, bare) in _local:
        return f"{LOCAL}:{bare}", _local[kind, bare]
    plugin = _the_plugin(kind, name)
    return plugin.full_id, discovery.load(plugin)


def check_known(kind: str, name: str) -> None:
    """Raise UnknownComponentError if there is no component of this name, with the package to install; imports nothing."""
    is_builtin = name.removeprefix(f"{DISTRIBUTION}:") in _builtins()[kind]
    if not is_builtin and (kind, name.removeprefix(f"{LOCAL}:")) not in _local:
        _the_plugin(kind, name)


def full_id(kind: str, name: str) -> str:
    """Return the full id of a bare name that exactly one package offers, any other name unchanged; imports nothing."""
    if name in _builtins()[kind] or (kind, name) in _local or ":" in name or is_carried(kind, name):
        return name
    ids = [p.full_id for p in _plugins_named(kind, name) if is_allowed(p.distribution)]
    return ids[0] if len(ids) == 1 else name


def is_carried(kind: str, name: str) -> bool:
    """Return True if a name came with a pickle, together with its object."""
    return isinstance(name, CarriedName) and name.kind == kind and name.component is not None


def names(kind: str) -> list[str]:
    """Return the names of a kind's components: bare names of built-in ones, full ids of the others; imports nothing."""
    local = (f"{LOCAL}:{name}" for k, name in list(_local) if k == kind)
    plugins = (p.full_id for p in discovery.offered(kind) if is_allowed(p.distribution))
    return sorted([*_builtins()[kind], *local, *plugins])


@overload
def register(kind: str, name: str, *, replace: bool = False) -> Callable[[Registered], Registered]: ...
@overload
def register(kind: str, name: str, component: Registered, *, replace: bool = False) -> Registered: ...
def register(kind: str, name: str, component: Any = None, *, replace: bool = False) -> Any:
    """Register a component under a name, for this process and for the worker processes of a search.

    Use it as a decorator of a component class, of a function (`skdeep.acceptance.FUNCTIONS` lists the arguments
    of each kind) or of a `flax.linen.Module` class. Lambdas and objects can be given as `component`.

    Parameters
    ----------
    kind : {"loss", "optimizer", "schedule", "layer", "network", "augmentation"}
    name : str
    component : object, default=None
        The object to register; None if `register` is used as a decorator.
    replace : bool, default=False
        Allow replacing another object that was registered under this name.

    Returns
    -------
    object or callable
        The registered object, or the decorator.

    Notes
    -----
    A pickle of an estimator contains the registered objects that its parameters name, with everything that they refer to.
    What joblib's loky backend sends to a worker contains all registered objects. Keep large arrays out of closures.

    Raises
    ------
    ComponentExistsError
        If a built-in component has this name, or another object is registered under it and `replace` is False.
    TypeError
        If the object cannot be used as this kind of component.
    ValueError
        If there is no such kind, or the name is empty or has a ":".

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import skdeep
    >>> @skdeep.register("loss", "fourth_power")
    ... def fourth_power(raw, target):
    ...     return jnp.mean((raw - target) ** 4, axis=1)
    >>> model = skdeep.DeepRegressor(loss="fourth_power")
    >>> _ = skdeep.register("schedule", "linear_fall", lambda progress: 1 - progress)
    """
    from skdeep.acceptance import refusal, reserved_names

    check_kind(kind)
    if not isinstance(name, str) or not name or ":" in name:
        raise ValueError(f"The name of a {kind} must be a string without ':'. Got {name!r} instead.")

    def add(registered: Registered) -> Registered:
        if name in _builtins()[kind] or name in reserved_names(kind):
            raise errors.ComponentExistsError(f"{name!r} is the name of a built-in {kind}. Choose another name.")
        if reason := refusal(kind, registered):
            raise TypeError(f"This object cannot be registered as the {kind} {name!r}: {reason}.")
        with _lock:
            known = _local.get((kind, name), registered)
            if known is not registered and not replace:
                raise errors.ComponentExistsError(
                    f"The {kind} {name!r} is registered already, as {known!r}. Give replace=True to replace it."
                )
            _local[kind, name] = registered
            _adopted.pop((kind, name), None)
        return registered

    return add if component is None else add(component)


def unregister(kind: str, name: str) -> None:
    """Remove a name that was registered in this process.

    Raises
    ------
    UnknownComponentError
        If no such name was registered.

    Examples
    --------
    >>> import skdeep
    >>> _ = skdeep.register("schedule", "halved")(lambda progress: 0.5)
    >>> skdeep.unregister("schedule", "halved")
    """
    with _lock:
        if (kind, name) not in _local:
            known = [n for k, n in list(_local) if k == kind]
            raise errors.UnknownComponentError(errors.unknown_name(f"registered {kind}", name, known))
        del _local[kind, name]
        _adopted.pop((kind, name), None)


def registered_names(kind: str) -> dict[str, Any]:
    """Return the objects registered in this process, by name."""
    entries = sorted(_local.items(), key=lambda item: item[0])
    return {name: value for (k, name), value in entries if k == kind}


def id_of(kind: str, value: Any) -> str | None:
    """Return the full id of a class or function, None if it has none; imports nothing.

    Built-in, registered and plugin components have one. Also records the package of a plugin's object for pickles.
    """
    if kind not in GROUPS:
        return None
    if builtin := _builtin_name(kind, value):
        return builtin
    for name, registered in registered_names(kind).items():
        if registered is value:
            return f"{LOCAL}:{name}"
    if (getattr(value, "__module__", None) or "").partition(".")[0] in ("", "skdeep", "__main__", "builtins"):
        return None
    discovery.note_package_of(value)  # for pickles
    plugin = discovery.loaded_plugin_of(kind, value)
    return plugin.full_id if plugin else None


@functools.cache
def _builtins() -> dict[str, dict[str, metadata.EntryPoint]]:
    entries = metadata.distribution(DISTRIBUTION).entry_points
    return {kind: {e.name: e for e in entries if e.group == group} for kind, group in GROUPS.items()}


def builtin_names(kind: str) -> dict[str, str]:
    """Return the built-in names of a kind, with the `module:attribute` of each."""
    return {name: entry.value for name, entry in sorted(_builtins()[kind].items())}


@functools.cache
def _builtin_ids(kind: str) -> dict[str, str]:
    """Return the first name of each built-in component of a kind, by its `module:attribute`."""
    return {place: name for name, place in reversed(builtin_names(kind).items())}


def _builtin_name(kind: str, value: Any) -> str | None:
    """Return the name of a built-in class by its entry point, None if there is none; imports nothing."""
    package = GROUPS[kind]
    if not (getattr(value, "__module__", None) or "").startswith(package):
        return None
    return _builtin_ids(kind).get(f"{package}:{getattr(value, '__name__', '')}")


def _the_plugin(kind: str, name: str) -> Plugin:
    """Return the plugin of a name.

    Raises
    ------
    UnknownComponentError
        If no plugin has the name.
    AmbiguousComponentError
        If several allowed plugins have it.
    """
    found = _plugins_named(kind, name)
    if not found:
        discovery.scan()
        found = _plugins_named(kind, name)
    allowed = [plugin for plugin in found if is_allowed(plugin.distribution)]
    if not found:
        raise errors.UnknownComponentError(errors.unknown_name(kind, name, names(kind), _hint(kind, name)))
    if len(allowed) > 1:
        ids = ", ".join(plugin.full_id for plugin in allowed)
        raise errors.AmbiguousComponentError(f"More than one package offers the {kind} {name!r}. Name one of: {ids}.")
    return (allowed or found)[0]


def _plugins_named(kind: str, name: str) -> list[Plugin]:
    distribution, bare = _parts(name)
    wanted = f"{normalised(distribution)}:{bare}" if distribution else None
    return [p for p in discovery.offered(kind) if p.name == bare and wanted in (None, p.full_id)]


def _parts(name: str) -> tuple[str, str]:
    """Split a full id at its first colon into distribution and bare name; the distribution is "" without a colon."""
    distribution, colon, bare = name.partition(":")
    return (distribution, bare) if colon else ("", name)


def _hint(kind: str, name: str) -> str:
    """Return a sentence about why a name is unknown or how to get it; "" if nothing is known."""
    distribution, bare = _parts(name)
    distribution = normalised(distribution)
    if reason := getattr(name, "reason", ""):
        return f"It was registered in the process that pickled the estimator, but {reason}."
    if (kind, bare) in _left_behind and distribution in ("", LOCAL):
        return f"It was registered in the process that sent the estimator, but {_left_behind[kind, bare]}."
    if distribution == LOCAL:
        return f"Register it in this process with @skdeep.register({kind!r}, {bare!r})."
    if distribution:
        try:
            version = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            return f"The package {distribution!r} is not installed. Install it."
        return f"The package {distribution} {version} offers no {kind} {bare!r}."
    for group in discovery.unknown_groups():
        if bare in group.names:
            return str(group)
    packages = [package for package, kinds in KNOWN_PLUGINS.items() if bare in kinds.get(kind, ())]
    return f"The package {packages[0]}, which is not installed, offers it." if packages else ""
