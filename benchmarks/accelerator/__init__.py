"""The command `python -m benchmarks accelerator`: tests and measurements on JAX's default device, within a budget of time."""
