"""The fingerprint of the code and the values from which a program was traced, beside shapes and dtypes.

A component's class or a function stays the same object when something that it uses changes: a global, a closure cell, a
default, a method, a function that it calls. So users' code, and everything that it refers to, is read at each lookup of a
program. Code of installed packages and of skdeep is compared by identity. Names that are only computed at run time, as in
`getattr(module, name)` or `globals()[name]`, are not seen.
"""

from __future__ import annotations

import dataclasses
import dis
import enum
import functools
import hashlib
import importlib.util
import io
import logging
import os
import site
import struct
import sys
import sysconfig
import threading
import types
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from skdeep.component import Component
from skdeep.core.content import bits_of
from skdeep.core.jitted import JITTED, wrapped_by
from skdeep.definition import dataclass_fields_of
from skdeep.linen import constructor_fields, is_linen_class
from skdeep.pickling import ByName

MAX_ATOMS = 20_000
"""Code that refers to more values than this is not read at each lookup; its program is traced again in each fit instead."""


class Fingerprint:
    """The content of the structure of a program's arguments.

    Parameters
    ----------
    atoms : tuple of hashable values
        Equal for equal code and values.
    is_complete : bool
        False if something could not be read, such as a generator.
    """

    __slots__ = ("_hash", "atoms", "is_complete")

    def __init__(self, atoms: tuple[Hashable, ...], is_complete: bool) -> None:
        self.atoms = atoms
        self.is_complete = is_complete
        self._hash = hash(atoms)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and self._hash == other._hash and self.atoms == other.atoms


def fingerprint(arguments: Iterable[Any]) -> Fingerprint:
    """Return the fingerprint of the structure of arguments. Traced numbers and arrays are not part of it."""
    return _read(arguments)[0]


def atoms_of(value: Any) -> tuple[Any, ...]:
    """Return the content of any object as a flat tuple of plain values, code objects, and objects that have a name.

    Raises
    ------
    UnreadableError
        If its state cannot be read.
    """
    reader = _Reader()
    reader.read(value)
    return tuple(reader.atoms)


def installed_atoms_of(value: Any) -> tuple[tuple[Any, ...], set[str]]:
    """Return the atoms of an object without code of users, and the modules of the functions that were read code by code.

    Functions and classes are atoms themselves, except functions with a closure. So are jitted functions, because their settings
    cannot be read. No state is read from a pickle, because a pickle may hold the name of an object in place of the object.

    Raises
    ------
    UnreadableError
        If it contains code of users, or an object whose state is not in attributes and items.
    """
    reader = _Reader(only_installed=True)
    reader.read(value)
    return tuple(reader.atoms), reader.read_from


def user_functions(arguments: Iterable[Any]) -> list[tuple[Any, int]]:
    """Return the users' functions to which the structure of arguments refers, each with a hash of its content."""
    reader = _read(arguments)[1]
    return [(function, hash(tuple(reader.atoms[first:last]))) for function, first, last in reader.functions]


def _read(arguments: Iterable[Any]) -> tuple[Fingerprint, _Reader]:
    reader = _Reader()
    is_complete = True
    try:
        for argument in arguments:
            reader.read_argument(argument)
    except UnreadableError:
        is_complete = False
    return Fingerprint(tuple(reader.atoms), is_complete), reader


class UnreadableError(Exception):
    """The state of an object cannot be read, or is larger than `MAX_ATOMS`."""


class _Reader:
    """Appends the content of objects to a list of hashable atoms. Each compound object is read once.

    With `only_installed`, it raises UnreadableError where `installed_atoms_of` says so.
    """

    def __init__(self, only_installed: bool = False) -> None:
        self._only_installed = only_installed
        self.atoms: list[Any] = []
        self.functions: list[tuple[Any, int, int]] = []  # users' functions, each with the range of its atoms
        self.read_from: set[str] = set()  # the modules of functions whose code is an atom
        self._seen: dict[int, tuple[int, Any]] = {}  # by id; holds the objects, so that no id is reused
        self._modules: set[tuple[types.ModuleType, tuple[str, ...]]] = set()

    def read_argument(self, value: Any) -> None:
        """Read the structure of a component. Its data fields are traced, so they are only searched for components."""
        if isinstance(value, Component):
            cls = type(value)
            if not _is_installed(cls.__module__):
                self.read(cls)
            for name in cls._data_fields:
                field = getattr(value, name)
                if isinstance(field, Component | tuple):
                    self.read_argument(field)
            for name in cls._structure_fields:
                self.read(getattr(value, name))
        elif type(value) is tuple:
            for item in value:
                self.read_argument(item)

    def read(self, value: Any) -> None:
        """Read any object."""
        if len(self.atoms) > MAX_ATOMS:
            raise UnreadableError
        kind = type(value)
        if kind in _PLAIN:
            self.atoms += (kind, value)
            return
        if kind in _BY_BITS:  # their equality is too coarse: 0.0 == -0.0, and NaN has many bit patterns
            self.atoms += (kind, bits_of(value))
            return
        if id(value) in self._seen:
            self.atoms += ("seen", self._seen[id(value)][0])
            return
        self._seen[id(value)] = len(self._seen), value
        _reader_for(value)(self, value)

    def read_items(self, items: Iterable[Any]) -> None:
        items = list(items)
        self.atoms.append(len(items))
        for item in items:
            self.read(item)

    def read_dict(self, items: Mapping[Any, Any]) -> None:
        self.atoms += (type(items), len(items))
        for key, value in items.items():
            self.read(key)
            self.read(value)

    def read_sequence(self, items: Any) -> None:
        self.atoms.append(type(items))
        self.read_items(items)

    def read_set(self, items: Any) -> None:
        """Read the items of a set. Its order differs between processes, so later references to an item must not count it."""
        parts = []
        for item in items:
            start, n_seen, modules = len(self.atoms), len(self._seen), set(self._modules)
            self.read(item)
            parts.append(tuple(self.atoms[start:]))
            del self.atoms[start:]
            while len(self._seen) > n_seen:
                self._seen.popitem()
            self._modules = modules
        self.atoms += (type(items), frozenset(parts))

    def read_span(self, span: Any) -> None:
        """Read a range or a slice. The parts of a slice may be objects of any kind."""
        self.atoms.append(type(span))
        self.read_items((span.start, span.stop, span.step))

    def read_array(self, array: Any) -> None:
        if not _is_plain_array(array):  # it may hold more than its values, as a masked array does
            self.read_instance(array)
            return
        self.read(type(array))
        try:
            if isinstance(array, jax.Array):
                self._read_jax_type(array)
                is_key = jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key)
                array = jax.random.key_data(array) if is_key else array
            values = np.asarray(array)
        except (jax.errors.JAXTypeError, RuntimeError) as err:  # a tracer, or a donated array
            raise UnreadableError from err
        self.atoms.append(values.shape)
        self.read_dtype(values.dtype)
        if values.dtype.hasobject:
            self.read(values.tolist())
        else:
            self.atoms.append(hashlib.blake2b(values.tobytes(), digest_size=16).digest())

    def _read_jax_type(self, array: Any) -> None:
        """Read the parts of an array's type that its values in NumPy do not have."""
        if jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key):
            self.read(tuple(array.dtype._impl))  # two generators may have keys of one shape
        else:
            self.atoms += (array.weak_type, str(array.sharding))

    def read_dtype(self, dtype: np.dtype[Any]) -> None:
        """Read a dtype. Its equality does not see metadata, and its text does not name the class of its scalars."""
        self.atoms += (np.dtype, dtype.str, dtype.char, dtype.itemsize, dtype.alignment, dtype.isalignedstruct)
        self.read(dtype.type)
        self.read(None if dtype.metadata is None else dict(dtype.metadata))
        self.read(dtype.subdtype)
        self.read(None if dtype.fields is None else [(name, dtype.fields[name]) for name in dtype.names or ()])
        self.read(getattr(dtype, "na_object", None))
        self.atoms.append(hasattr(dtype, "na_object"))

    def read_function(self, function: types.FunctionType) -> None:
        # Code that is made at run time, such as sympy's lambdify does, may get the globals of an installed module.
        is_installed = _is_installed_globals(function.__globals__) and _is_installed_code(function.__code__)
        if is_installed and function.__closure__ is None:
            self.atoms.append(function)
            return
        self._refuse_users(is_installed)
        start, module = len(self.atoms), str(function.__globals__.get("__name__"))
        self.atoms += (function.__code__, function.__defaults__ is None, function.__kwdefaults__ is None)
        # Equal code uses the globals of its own module.
        self.atoms += (module, function.__module__, function.__qualname__)
        self.read_from.add(module)
        attributes = _names_in(function.__code__).attributes
        self._read_used(function.__defaults__ or (), attributes)
        self._read_used(tuple((function.__kwdefaults__ or {}).items()), attributes)
        for cell in function.__closure__ or ():
            try:
                self._read_used(cell.cell_contents, attributes)
            except ValueError:  # the cell is empty
                self.atoms.append("empty")
        if not is_installed:
            if function.__dict__:
                self.read(function.__dict__)
            self._read_names(function)
            self.functions.append((function, start, len(self.atoms)))

    def _refuse_users(self, is_installed: bool) -> None:
        if self._only_installed and not is_installed:
            raise UnreadableError

    def _read_names(self, function: types.FunctionType) -> None:
        """Read the globals that a function's code names, and the attributes of the modules among them."""
        names = _names_in(function.__code__)
        scope = function.__globals__
        for name in names.loaded:
            if name in scope:
                self.atoms.append(name)
                self._read_used(scope[name], names.attributes)
        for name in names.imported:
            for module in (name, f"{scope.get('__package__')}.{name}"):
                if (found := _user_module(module)) is not None:
                    self._read_used(found, names.attributes)

    def _read_used(self, value: Any, attributes: tuple[str, ...]) -> None:
        """Read a value that code uses; of a module, the attributes that the code names."""
        if type(value) is tuple:
            self.atoms += (tuple, len(value))
            for item in value:
                self._read_used(item, attributes)
            return
        self.read(value)
        if not isinstance(value, types.ModuleType) or (value, attributes) in self._modules:
            return
        self._modules.add((value, attributes))
        scope = vars(value)
        for name in attributes:
            if name in scope:
                self.atoms.append(name)
                self._read_used(scope[name], attributes)

    def read_enum(self, value: enum.Enum) -> None:
        """Read a member's class too: members of two classes are equal if they are also equal strings or ints."""
        self.atoms.append(enum.Enum)
        self.read(type(value))
        self.atoms.append(value.name)
        self.read(value.value)

    def read_ufunc(self, value: np.ufunc) -> None:
        if value.__name__.endswith("(vectorized)"):  # numpy.frompyfunc holds a Python function that cannot be read
            raise UnreadableError
        self.atoms.append(value)

    def read_method(self, method: types.MethodType) -> None:
        self.read(method.__func__)
        self.read(method.__self__)

    def read_builtin(self, function: Any) -> None:
        if function.__self__ is None or isinstance(function.__self__, types.ModuleType):
            self.atoms.append(function)
            return
        self.atoms += (type(function), function.__qualname__)
        self.read(function.__self__)

    def read_wrapped(self, function: Any) -> None:
        if self._only_installed:
            self.atoms.append(function)
            return
        start = len(self.atoms)
        self.atoms.append(type(function))
        wrapped = wrapped_by(function)
        self.read(wrapped)
        if isinstance(wrapped, types.FunctionType) and not _is_installed_globals(wrapped.__globals__):
            self.functions.append((function, start, len(self.atoms)))

    def read_ufunc_of_jax(self, value: Any) -> None:
        if self._only_installed:
            self.atoms.append(value)
        else:
            self.read_instance(value)

    def read_differentiable(self, function: Any) -> None:
        if self._only_installed:
            self.atoms.append(function)
            return
        names = ("fun", "nondiff_argnums", "jvp", "fwd", "bwd", "symbolic_zeros", "optimize_remat")
        self.read_items(getattr(function, name, None) for name in names)

    def read_partial(self, partial: functools.partial[Any]) -> None:
        self.atoms.append(type(partial))
        code = getattr(partial.func, "__code__", None)
        attributes = () if code is None else _names_in(code).attributes
        self.read(partial.func)
        self._read_used(partial.args, attributes)
        self._read_used(tuple(partial.keywords.items()), attributes)

    def read_accessor(self, value: Any) -> None:
        self.atoms.append(type(value))
        self.read_items(getattr(value, name, None) for name in ("__func__", "fget", "fset", "func"))

    def read_identity(self, value: Any) -> None:
        self.atoms.append(value)

    def read_reference(self, reference: weakref.ref[Any]) -> None:
        self.atoms.append(type(reference))
        self.read(reference())

    def read_type(self, value: Any) -> None:
        """Read only the type of an object, such as a lock, because no program depends on its state."""
        self.atoms.append(type(value))

    def read_class(self, cls: type) -> None:
        if _is_installed(cls.__module__):
            self.atoms += (cls,) if type(cls) is type else (type(cls), cls)  # jnp.float32 == np.float32
            return
        self._refuse_users(False)
        self.atoms.append(cls.__qualname__)
        self.read_items(cls.__bases__)
        self.read(type(cls))
        members = list(vars(cls).items())
        methods = [value.__code__ for _, value in members if isinstance(value, types.FunctionType)]
        attributes = tuple({name: None for code in methods for name in _names_in(code).attributes})
        for name, value in members:
            if name in _NOT_CODE or isinstance(value, _SLOTS) or (name in _OFTEN_GENERATED and _is_generated(value)):
                continue
            self.atoms.append(name)
            self._read_used(value, attributes)

    def read_component(self, component: Component) -> None:
        """Read a component by its fields: its pickle would name functions and classes in place of their code."""
        self.read(type(component))
        for name in dataclass_fields_of(type(component)):
            self.atoms.append(name)
            self.read(getattr(component, name))

    def read_named(self, reference: ByName) -> None:
        self.read(reference.named())

    def read_instance(self, value: Any) -> None:
        cls: Any = type(value)
        self.read(cls)
        if dataclasses.is_dataclass(cls) and is_linen_class(cls):  # not its id, which differs between instances
            self.read_items(getattr(value, field.name) for field in constructor_fields(cls))
            return
        # For a class of an installed package, read the state that is pickled: other attributes may be caches.
        if _is_installed(cls.__module__) and self._read_reduced(value):
            return
        if isinstance(value, dict):
            self.read_dict(value)
        elif isinstance(value, set | frozenset):
            self.read_set(value)
        elif isinstance(value, list | tuple):
            self.read_items(value)
        slots = [name for base in cls.__mro__ for name in _slots_of(base)]
        if hasattr(value, "__dict__"):
            self.read_dict(dict(vars(value)))
        self.read_items(getattr(value, name) for name in slots if hasattr(value, name))
        if _holds_more(cls) and not self._read_reduced(value):
            raise UnreadableError

    def _read_reduced(self, value: Any) -> bool:
        """Read an object by the state that pickle would store. Return False if it cannot be pickled.

        An object that pickle stores by name counts as constant.
        """
        if self._only_installed:
            return False
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # classes that cannot be pickled raise exceptions of any kind
            return False
        if isinstance(reduced, str):
            self.atoms.append(value)
            return True
        make, arguments, *rest = reduced
        self.read((make, arguments, rest[0] if rest else None))
        for items in rest[1:3]:  # iterators over the items of a list and of a dict
            self.read(None if items is None else tuple(items))
        return True


_PLAIN = {bool, int, str, bytes, type(None), type(...), type(NotImplemented)}
_BY_BITS = {float, complex}
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
_OFTEN_GENERATED = {"__eq__", "__hash__", "__repr__", "__replace__", "__setattr__", "__delattr__"}
_NOT_CODE = {
    "__annotations__", "__dataclass_fields__", "__dataclass_params__", "__dict__", "__doc__", "__firstlineno__",
    "__module__", "__qualname__", "__static_attributes__", "__weakref__", "_abc_impl", "__annotate_func__",
    "__annotations_cache__", "__match_args__", "__slotnames__",
}  # fmt: skip

_READERS: list[tuple[Any, Callable[[_Reader, Any], None]]] = [
    (type, _Reader.read_class),
    (enum.Enum, _Reader.read_enum),
    (Component, _Reader.read_component),
    (ByName, _Reader.read_named),
    (np.dtype, _Reader.read_dtype),
    (np.ufunc, _Reader.read_ufunc),
    ((types.ModuleType, types.MethodDescriptorType, types.WrapperDescriptorType,
      types.GetSetDescriptorType, types.MemberDescriptorType, types.ClassMethodDescriptorType), _Reader.read_identity),
    (functools.partial, _Reader.read_partial),
    (types.MethodType, _Reader.read_method),
    ((types.BuiltinFunctionType, types.MethodWrapperType), _Reader.read_builtin),
    ((JITTED, type(functools.cache(len))), _Reader.read_wrapped),
    ((jax.custom_jvp, jax.custom_vjp), _Reader.read_differentiable),
    (type(jnp.add), _Reader.read_ufunc_of_jax),
    ((np.ndarray, np.generic, jax.Array), _Reader.read_array),
    ((classmethod, staticmethod, property, functools.cached_property), _Reader.read_accessor),
    ((logging.Logger, io.IOBase, type(threading.Lock()), type(threading.RLock())), _Reader.read_type),
    (weakref.ref, _Reader.read_reference),
]  # fmt: skip
_READERS_OF_TYPES: dict[type, Callable[[_Reader, Any], None]] = {
    types.FunctionType: _Reader.read_function,
    type: _Reader.read_class,
    tuple: _Reader.read_sequence,
    list: _Reader.read_sequence,
    dict: _Reader.read_dict,
    types.MappingProxyType: _Reader.read_dict,
    set: _Reader.read_set,
    frozenset: _Reader.read_set,
    range: _Reader.read_span,
    slice: _Reader.read_span,
}


def _user_module(name: str) -> types.ModuleType | None:
    """Return a module that code imports when it runs: one that is loaded, or one of the user, which is then loaded now.

    Modules of installed packages that are not loaded yet are None: their content does not change.
    """
    if name in sys.modules:
        return sys.modules[name]
    try:
        spec = importlib.util.find_spec(name.partition(".")[0])  # the spec of a submodule would load its package
        if spec is None or spec.origin is None or is_installed_file(spec.origin):
            return None
        return importlib.import_module(name)
    except Exception:  # the code may never run this import, or raise then
        return None


def _is_plain_array(array: Any) -> bool:
    """Return True if an array's class adds nothing to its values and its type: it is no subclass made by others."""
    if isinstance(array, np.generic):
        return type(array) is array.dtype.type
    return type(array) is np.ndarray or isinstance(array, jax.Array)


def _is_generated(method: Any) -> bool:
    """Return True if `dataclasses` generated a method, from fields that are read anyway."""
    return isinstance(method, types.FunctionType) and method.__code__.co_filename == "<string>"


def _reader_for(value: Any) -> Callable[[_Reader, Any], None]:
    cls = type(value)
    known = _READERS_OF_TYPES.get(cls)
    if known is None:
        known = next((read for kinds, read in _READERS if isinstance(value, kinds)), _Reader.read_instance)
        if _is_installed(cls.__module__):  # users' classes may be redefined: do not keep old ones alive
            _READERS_OF_TYPES[cls] = known
    return known


class _Names(NamedTuple):
    loaded: tuple[str, ...]
    attributes: tuple[str, ...]
    imported: tuple[str, ...]


@functools.lru_cache(maxsize=4096)
def _names_in(code: types.CodeType) -> _Names:
    """Return the globals, attributes and modules that are named in a code object and in the code objects nested in it."""
    by_operation: dict[str, dict[str, None]] = {"GLOBAL": {}, "ATTR": {}, "IMPORT": {}}
    pending = [code]
    while pending:
        code = pending.pop()
        pending += (const for const in code.co_consts if isinstance(const, types.CodeType))
        for instruction in dis.get_instructions(code):
            kind = _OPERATIONS.get(instruction.opname)
            if kind is not None:
                by_operation[kind][instruction.argval] = None
    return _Names(*map(tuple, by_operation.values()))


_OPERATIONS = {
    "LOAD_GLOBAL": "GLOBAL", "LOAD_NAME": "GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS": "GLOBAL",
    "LOAD_ATTR": "ATTR", "LOAD_METHOD": "ATTR", "IMPORT_FROM": "ATTR", "IMPORT_NAME": "IMPORT",
}  # fmt: skip


def _is_installed(module: Any) -> bool:
    """Return True if a module belongs to Python, to an installed package, or to skdeep."""
    found = sys.modules.get(module or "__main__")
    return module in sys.builtin_module_names or (found is not None and _is_installed_globals(vars(found)))


def _is_installed_globals(scope: dict[str, Any]) -> bool:
    file = scope.get("__file__")
    return is_installed_file(file) if isinstance(file, str) else scope.get("__name__") in sys.builtin_module_names


def _is_installed_code(code: types.CodeType) -> bool:
    return code.co_filename.startswith("<frozen ") or is_installed_file(code.co_filename)


@functools.lru_cache(maxsize=4096)
def is_installed_file(file: str) -> bool:
    """Return True if a file is in a folder of installed packages, of Python, or of skdeep."""
    return os.path.realpath(file).startswith(_installed_folders())


@functools.cache
def _installed_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders += [*site.getsitepackages(), site.getusersitepackages(), own]
    return tuple({os.path.join(os.path.realpath(folder), "") for folder in folders})


@functools.lru_cache(maxsize=4096)
def _holds_more(cls: Any) -> bool:
    """Return True if objects of a class have memory for more than `__dict__`, slots and the items of a container.

    Then the class, or one of its base classes, is written in C and has a state that Python code cannot read. Examples are
    `collections.deque` and `pandas.Timestamp`.
    """
    for base in cls.__mro__:
        if base in _READ_AS_ITEMS:
            continue
        own = vars(base)
        pointers = len(_slots_of(base)) + ("__dict__" in own) + ("__weakref__" in own)
        if base.__basicsize__ - (base.__base__ or object).__basicsize__ > _POINTER * pointers:
            return True
    return False


_POINTER = struct.calcsize("P")
_READ_AS_ITEMS = {object, dict, list, tuple, set, frozenset}


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))
