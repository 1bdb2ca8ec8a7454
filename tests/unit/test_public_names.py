# SPDX-License-Identifier: Apache-2.0
"""What users import: a name that is missing here breaks their DAGs."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from inspect import ismodule, signature
from pathlib import Path

import pytest

import lessonspace_provider
from tests.public_names import EXPORTING_PACKAGES, PUBLIC


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_can_be_imported(module):
    if module == "retry_policy":
        pytest.importorskip("lessonspace_provider.retry_policy", reason="it needs Airflow 3.3", exc_type=ImportError)
    imported = importlib.import_module(f"lessonspace_provider.{module}")
    assert [name for name in PUBLIC[module].split() if not hasattr(imported, name)] == []


@pytest.mark.parametrize(("module", "name"), [(m, n) for m in PUBLIC for n in PUBLIC[m].split() if "Operator" in n])
def test_an_operator_has_each_documented_parameter_with_its_default(module, name):
    operator = getattr(importlib.import_module(f"lessonspace_provider.{module}"), name)
    documented = re.findall(r":param (\w+):", operator.__doc__)
    own = signature(next(vars(c)["__init__"] for c in operator.__mro__ if "__init__" in vars(c))).parameters
    assert [parameter for parameter in documented if parameter not in own] == []


@pytest.mark.parametrize("package", EXPORTING_PACKAGES)
def test_a_package_exports_its_public_names_only(package):
    exported = importlib.import_module(f"lessonspace_provider.{package}")
    assert sorted(exported.__all__) == sorted(PUBLIC[package].split())
    assert [name for name in exported.__all__ if ismodule(getattr(exported, name))] == []


def test_every_module_in_the_root_is_public():
    root = {path.stem for path in Path(lessonspace_provider.__file__).parent.glob("[!_]*.py")}
    private = {"get_provider_info", "sessions"}  # waiting exports what a DAG needs of sessions
    assert root - private == {name for name in PUBLIC if "." not in name} - {*EXPORTING_PACKAGES}


@pytest.mark.parametrize("package", ["output", "transcripts"])
def test_a_lazy_package_has_no_other_names(package):
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        importlib.import_module(f"lessonspace_provider.{package}").no_such_name  # noqa: B018


def test_importing_the_hook_imports_none_of_the_exports_it_does_not_use():
    source = (
        "import sys; import lessonspace_provider.hooks.lessonspace;"
        "print([name for name in ('transcripts.talk_time', 'transcripts.formats', 'output.files', 'archive')"
        " if f'lessonspace_provider.{name}' in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
