"""Stage 9: what trains. A driver is a value of a job; `skdeep.core.run.run` starts it.

`steps` runs blocks of compiled steps and `pace` chooses how long they are; `lbfgs` hands the loss to SciPy's L-BFGS-B.
"""
