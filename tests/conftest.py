# SPDX-License-Identifier: Apache-2.0
"""A private Airflow for the whole test run: nothing of the machine's own configuration reaches the tests."""

from __future__ import annotations

import atexit
import importlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["lessonspace_provider.sandbox.pytest_plugin"]

# Airflow reads its environment when it is first imported, so this can't wait for a fixture.
for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "AIRFLOW__"))]:
    del os.environ[name]
_HOME = Path(tempfile.mkdtemp(prefix="lessonspace-tests-"))
_BUNDLES = {
    "examples": Path(__file__).parent.parent / "dags_examples",
    "tests": Path(__file__).parent / "integration" / "dags" / "files",
}
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=str(_HOME),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(_BUNDLES["examples"]),
    AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps(
        [
            {
                "name": name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(path)},
            }
            for name, path in _BUNDLES.items()
        ]
    ),
    NO_PROXY="127.0.0.1,localhost",
    no_proxy="127.0.0.1,localhost",
)


# The same examples in every run, and no judgement on how long one takes: a busy machine fails no test.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")

_DEPRECATED = (
    "airflow.utils.deprecation_tools.DeprecatedImportWarning",
    "airflow.exceptions.RemovedInAirflow4Warning",
)


def pytest_configure(config: pytest.Config) -> None:
    """Fail on what Airflow deprecates. In pyproject.toml, this would import Airflow before the lines above."""
    if _airflow_version() < (3, 3):  # older ones import what they deprecate themselves
        return
    for category in _DEPRECATED:
        module, _, name = category.rpartition(".")
        if hasattr(importlib.import_module(module), name):
            config.addinivalue_line("filterwarnings", f"error::{category}")


def _airflow_version() -> tuple[int, ...]:
    return tuple(int(part) for part in importlib.metadata.version("apache-airflow-core").split(".")[:2])


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """An Airflow home with a migrated SQLite database, made once per run."""
    _run_airflow("db", "migrate")
    if _airflow_version() < (3, 1):  # there, dag.test() runs no task with an asset that is not in the database yet
        _run_airflow("dags", "reserialize")
    return _HOME


def _run_airflow(*command: str) -> None:
    subprocess.run([sys.executable, "-m", "airflow", *command], check=True, capture_output=True)
