"""The settings of JAX in the keys of programs are those of this thread."""

from __future__ import annotations

import jax

from skdeep.core.settings import SETTINGS, current_settings


def settings():
    return dict(zip(SETTINGS, current_settings()[0], strict=True))


def test_a_setting_of_this_thread():
    before = settings()
    with jax.enable_x64(not before["jax_enable_x64"]):
        after = settings()
    assert {name for name in SETTINGS if before[name] != after[name]} == {"jax_enable_x64"}
    assert settings() == before
