"""Run Python source in fresh processes that need not import JAX, pandas and scikit-learn each: the imports take seconds.

Run as a program: it imports them once and forks for each source, before JAX starts. A line of JSON asks for a process, and a
line of JSON tells its exit status. Neither Flax nor Optax is imported before the forks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
import types
import warnings
from pathlib import Path
from select import select

SECONDS_UNTIL_KILLED = 600
"""Only so that a process that hangs does not hold up the tests."""


class Forks:
    """The side of the tests: starts the server when it is first needed, and asks it for processes."""

    def __init__(self):
        self._server = None

    def run(self, source, *, cwd=None, **variables):
        """Run source in a fresh process, with warnings as errors, and return what `subprocess.run` returns.

        The process has the environment variables of this one and those given. JAX reads the variables JAX_* when it is imported, so
        those must be equal to the server's.
        """
        environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
        if self._server is None:
            command = [sys.executable, "-W", "error", __file__]
            self._server = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
        with tempfile.TemporaryDirectory() as folder:
            asked = {"source": source, "folder": folder, "cwd": str(cwd or Path.cwd()), "environment": environment}
            print(json.dumps(asked), file=self._server.stdin, flush=True)
            if not select([self._server.stdout], [], [], SECONDS_UNTIL_KILLED)[0]:
                self.close()
                raise subprocess.TimeoutExpired(source, SECONDS_UNTIL_KILLED)
            status = int(self._server.stdout.readline())
            out, err = (Path(folder, name).read_text() for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(source, status, out, err)

    def close(self):
        """Kill the server and the process that it waits for."""
        if self._server is not None:
            os.killpg(self._server.pid, 9)
            self._server.communicate()
            self._server = None


def serve():
    """Fork for each line of the standard input."""
    from skdeep import DeepClassifier  # noqa: F401  # and with it JAX, pandas and scikit-learn

    jax_variables = of_jax(os.environ)
    for line in sys.stdin:
        asked = json.loads(line)
        if of_jax(asked["environment"]) != jax_variables:
            raise ValueError("JAX's variables differ from those of the server: use jax.config in the source instead.")
        with warnings.catch_warnings(
            action="ignore", category=DeprecationWarning
        ):  # BLAS has threads, which a fork ends
            pid = os.fork()
        if pid == 0:
            os._exit(run_here(**asked))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def of_jax(environment):
    return {name: value for name, value in environment.items() if name.startswith("JAX_")}


def run_here(source, folder, cwd, environment):
    """Run source in this process as if it was given to `python -c`, and return the exit status."""
    for descriptor, name in ((0, os.devnull), (1, f"{folder}/stdout"), (2, f"{folder}/stderr")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    warnings.simplefilter("error")
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv, sys.path[:1] = ["-c"], ["", *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        exec(compile(source, "<string>", "exec", dont_inherit=True), vars(main))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    serve()
