"""Drivers train jobs. A driver is a value of a job; `skdeep.core.run.run` starts it.

The driver in `steps` runs blocks of compiled steps, and `pace` chooses the number of steps per block. The driver in `lbfgs`
calls SciPy's L-BFGS-B. `interrupts` delays Ctrl-C until a result is stored.
"""
