# SPDX-License-Identifier: Apache-2.0
"""
What a freshly installed provider has to do: ``python -I smoke.py VERSION``.

The Python of an empty environment runs this file, which therefore imports nothing of the checkout.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

DISTRIBUTION = "airflow-provider-lessonspace"
PACKAGE = "lessonspace_provider"

#: What needs more than an installation brings: pytest.
FOR_TESTS = f"{PACKAGE}.sandbox.pytest_plugin"


def check_versions(expected: str) -> str:
    """The package, its metadata and its provider info for Airflow have one version, and it is the installed package."""
    package: Any = importlib.import_module(PACKAGE)
    imported = sorted(name for name in sys.modules if name.startswith(f"{PACKAGE}."))
    _hold(not imported, f"importing the package imports {', '.join(imported)}")
    (found,) = [point for point in entry_points(group="apache_airflow_provider") if point.value.startswith(PACKAGE)]
    reported = {package.__version__, version(DISTRIBUTION), *found.load()()["versions"]}
    _hold(reported == {expected}, f"versions {sorted(reported)} in place of {expected}")
    _hold("site-packages" in Path(package.__file__).parts, f"the package is that at {package.__file__}")
    _hold(Path(package.__file__).with_name("py.typed").exists(), "py.typed is missing")
    return f"version {expected}"


def check_imports() -> str:
    """All modules can be imported with what the installation brought."""
    package = importlib.import_module(PACKAGE)
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    for name in names:
        if name != FOR_TESTS and not name.endswith("__main__"):
            importlib.import_module(name)
    return f"{len(names)} modules"


def check_connection() -> str:
    """The hook reaches the sandbox that the package brings."""
    from lessonspace_provider.hooks.lessonspace import LessonspaceHook
    from lessonspace_provider.sandbox.server import Sandbox

    with Sandbox() as sandbox:
        connection = {"conn_type": "lessonspace", "host": sandbox.base_url, "password": sandbox.api_key}
        os.environ["AIRFLOW_CONN_LESSONSPACE_DEFAULT"] = json.dumps(connection)
        is_good, said = LessonspaceHook().test_connection()
    _hold(is_good, said)
    return said


def _hold(condition: bool, problem: str) -> None:
    if not condition:
        sys.exit(problem)


if __name__ == "__main__":
    for line in (check_versions(sys.argv[1]), check_imports(), check_connection()):
        print(line)
