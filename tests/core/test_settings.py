"""The settings of JAX in the keys of programs are those of this thread."""

from __future__ import annotations

import sys
import types

import flax.linen as nn
import jax

from skdeep.core.settings import SETTINGS, current_settings, interceptors


def settings():
    return dict(zip(SETTINGS, current_settings()[0], strict=True))


def test_a_setting_of_this_thread():
    before = settings()
    with jax.enable_x64(not before["jax_enable_x64"]):
        after = settings()
    assert {name for name in SETTINGS if before[name] != after[name]} == {"jax_enable_x64"}
    assert settings() == before


def test_interceptors_while_another_thread_imports_flax(monkeypatch):
    """The module is in `sys.modules` before its names are defined; first fits in several threads met it in this state."""
    with nn.intercept_methods(lambda next_function, args, kwargs, context: next_function(*args, **kwargs)):
        assert len(interceptors()) == 1
        monkeypatch.setitem(sys.modules, "flax.linen.module", types.ModuleType("flax.linen.module"))
        assert interceptors() == ()
