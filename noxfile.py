# SPDX-License-Identifier: Apache-2.0
"""
The tests on every supported pair of Airflow and Python: `make matrix`. Pairs without an interpreter are skipped.

What stands behind `--` takes the place of the tests that a session runs: `nox -s lowest -- -x tests/unit/api`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import nox

# What pyenv has installed is on the path only where pyenv was told so.
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, sorted(PYENV.glob("versions/*/bin")))])

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["unit", "lowest", "integration"]


@dataclass(frozen=True)
class Airflow:
    """
    One minor version of Airflow.

    :param version: its last release, which is installed.
    :param pythons: what its metadata allows, from this provider's floor on.
    :param pins: what a resolution without Airflow's own constraints file gets wrong.
    """

    version: str
    pythons: tuple[str, ...]
    pins: tuple[str, ...] = ()


AIRFLOWS = (
    # Its API server refuses what tasks report when it runs on a newer FastAPI (3.1 has this limit itself), and signs
    # tokens in a way that newer PyJWT refuses. Its ObjectStoragePath uses internals of universal-pathlib that 0.3 no
    # longer has. It makes connection forms with wtforms, which only its FAB provider brings.
    Airflow("3.0.6", ("3.10", "3.11", "3.12"), ("fastapi<0.118", "pyjwt<2.11", "universal-pathlib<0.3", "wtforms")),
    Airflow("3.1.8", ("3.10", "3.11", "3.12", "3.13")),
    # Its API server does not start on a newer FastAPI (3.3 has this limit itself).
    Airflow("3.2.2", ("3.10", "3.11", "3.12", "3.13"), ("fastapi<0.137",)),
    Airflow("3.3.2", ("3.10", "3.11", "3.12", "3.13")),
)
PAIRS = [(python, airflow.version) for airflow in AIRFLOWS for python in airflow.pythons]
PINS = {airflow.version: airflow.pins for airflow in AIRFLOWS}
ENDS = [PAIRS[0], PAIRS[-1]]

#: What tests and builds, which is no part of what is tested: the same versions on every pair.
TOOLS = ("hatchling", "hypothesis", "mypy", "pytest", "pytest-xdist", "requests-mock", "ruff", "srt", "uv", "webvtt-py")
CONSTRAINTS = Path(__file__).with_name("constraints.txt")

SHOWN = """import sys, importlib.metadata as m
print("Python", sys.version.split()[0], *(f"{name} {m.version(name)}" for name in sys.argv[1:]))"""


def _pins(session: nox.Session) -> list[str]:
    """Write the constraints that the tools have, and give the options that name them."""
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if re.split("[=<>! ]", line)[0] in TOOLS]
    pins = Path(session.create_tmp()) / "tools.txt"
    # Create_tmp has set it, too long for the path of a browser's socket.
    session.env.pop("TMPDIR", None)
    pins.write_text("\n".join(lines))
    return ["--constraints", str(pins), "--build-constraints", str(pins)]


def _install(session: nox.Session, *wanted: str) -> None:
    # Uv builds the packages that the tests look into; `make install` has it, too.
    session.install(*_pins(session), "--editable", ".", "--group", "test", "uv", *wanted)
    session.run("python", "-c", SHOWN, "apache-airflow", "requests", "tenacity", "universal-pathlib")


@nox.session
@nox.parametrize("python,airflow", PAIRS)
def unit(session: nox.Session, airflow: str) -> None:
    """Run the unit tests."""
    _install(session, f"apache-airflow=={airflow}", *PINS[airflow])
    session.run("python", "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *(session.posargs or ["tests/unit"]))


@nox.session
@nox.parametrize("python,airflow", ENDS)
def integration(session: nox.Session, airflow: str) -> None:
    """Run the integration tests: on the oldest pair and the newest."""
    _install(session, f"apache-airflow=={airflow}", *PINS[airflow])
    tests = session.posargs or ["--numprocesses=3", "--dist=loadfile", "--no-loadscope-reorder", "tests/integration"]
    session.run("python", "-m", "pytest", "-q", *tests)


@nox.session(python=AIRFLOWS[0].pythons[-1])
def lowest(session: nox.Session) -> None:
    """Run the unit tests with the lowest versions that pyproject.toml allows of what it names."""
    pins = ("apache-airflow==3.0.0", "universal-pathlib<0.3")
    session.install("--resolution", "lowest-direct", "--only-binary", ":all:", "-r", "pyproject.toml", *pins)
    constraints = f"{session.create_tmp()}/lowest.txt"
    session.env.pop("TMPDIR", None)
    pin = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
    Path(constraints).write_text(str(session.run("python", "-c", pin, silent=True)))
    # The tests' own tools are not what is tested here: those without a pin are the newest that go with the lowest.
    tools = (
        "hatchling",
        "hypothesis",
        "jsonschema",
        "pyarrow==17.0.0",
        "pytest",
        "pytest-timeout",
        "apache-airflow-providers-redis",
        "requests-mock",
        "srt",
        "webvtt-py",
        "wtforms",
    )
    session.install(*_pins(session), "--no-deps", "--editable", ".")
    session.install(*_pins(session), "--constraint", constraints, *tools)
    session.run("python", "-c", SHOWN, "apache-airflow", "requests", "tenacity", "universal-pathlib")
    session.run("python", "-m", "pytest", "-q", *(session.posargs or ["tests/unit"]))
