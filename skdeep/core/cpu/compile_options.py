"""XLA's options for compiling on a CPU: quick ones for programs whose steps they do not slow down.

XLA's older code generator and its first level of optimisation compile in half the time. Measured (jax 0.10, processors with
AVX-512, seconds of the processor), in brackets the time of a step:

- networks with convolutions or loops: CNN .44 to .5 (.94 to 1.04), ResNet .44 (.85 to .95), LSTM and GRU .43 to .6 (.97 to
  1.1), TCN .48 to .78 (1.02 to 1.07). Their time is spent in products of matrices, which come from a library in both cases;
- dense networks, transformers and tables: .4 to .7 (1.1 to 1.25). Only brief programs are compiled quickly, since a fit on few
  rows takes less time than what compiling then saves.

The choice depends on the structure of a program alone, so that results never depend on a clock or on the order of fits.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from types import MappingProxyType

from skdeep.core.placement import current_placement

QUICK: Mapping[str, int | bool] = MappingProxyType(
    {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}
)

_UNHARMED = {"conv_general_dilated", "scan", "while"}


def compile_options(operations: Set[str], is_brief: bool) -> dict[str, int | bool]:
    """Return the options for a program by name; an empty dict leaves all at XLA's defaults.

    An option that the user has set in `XLA_FLAGS` stays as it is.

    Parameters
    ----------
    operations : set of str
        Names of JAX's operations in the program's networks (`rewriting.noted_operations`).
    is_brief : bool
        True if a training with the program takes less time than compiling.
    """
    if not (current_placement().is_cpu and (is_brief or operations & _UNHARMED)):
        return {}
    set_by_user = os.environ.get("XLA_FLAGS", "")
    return {name: value for name, value in QUICK.items() if name not in set_by_user}
