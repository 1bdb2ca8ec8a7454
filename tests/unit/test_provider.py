# SPDX-License-Identifier: Apache-2.0
"""What Airflow discovers, and what importing the provider costs."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import airflow
import jsonschema
import pytest

import lessonspace_provider
from lessonspace_provider.get_provider_info import get_provider_info
from tests.airflow_version import needs_airflow

#: Folders whose modules Airflow is told of, as far as they exist.
KINDS = [
    kind
    for kind in ("operators", "sensors", "triggers")
    if importlib.util.find_spec(f"lessonspace_provider.{kind}") is not None
]
SCHEMAS = Path(airflow.__file__).parent


@pytest.mark.parametrize("schema", ["provider.yaml.schema.json", "provider_info.schema.json"])
def test_the_provider_info_fits_airflows_schemas(schema):
    jsonschema.validate(get_provider_info(), json.loads((SCHEMAS / schema).read_text()) | {"required": []})


@needs_airflow("3.3", "older ones leave keys aside that they do not know")
def test_every_key_of_the_provider_info_is_known_to_airflow():
    known = json.loads((SCHEMAS / "provider.yaml.schema.json").read_text())["properties"]
    assert set(get_provider_info()) <= set(known)
    entry = known["connection-types"]["items"]["properties"]
    for connection_type in get_provider_info()["connection-types"]:
        assert set(connection_type) <= set(entry)


def test_every_module_of_operators_sensors_and_triggers_is_listed():
    listed = {
        module
        for kind in ("hooks", *KINDS)
        for group in get_provider_info().get(kind, [])
        for module in group["python-modules"]
    }
    existing = {
        f"lessonspace_provider.{kind}.{module.name}"
        for kind in KINDS
        for module in pkgutil.iter_modules(importlib.import_module(f"lessonspace_provider.{kind}").__path__)
        if module.name not in ("base", "shared")
    }
    assert existing | {"lessonspace_provider.hooks.lessonspace"} == listed
    for module in listed:
        importlib.import_module(module)


@needs_airflow("3.2", "older ones show no form of the provider's; the extra is JSON there")
def test_the_ui_is_served_the_connection_form():
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    (form,) = [form for form in HookMetaService.hook_meta_data() if form.connection_type == "lessonspace"]
    assert form.hook_name == "Lessonspace"
    assert set(form.extra_fields) == set(get_provider_info()["connection-types"][0]["conn-fields"])
    assert form.standard_fields.password.title == "API key"
    assert form.standard_fields.port.hidden


def test_every_extra_that_the_hook_reads_is_in_the_form():
    from lessonspace_provider.hooks.connection_settings import ConnectionSettings

    asked = set()

    class Extra(dict):
        def get(self, name, default=None):
            asked.add(name)
            return default

    connection = SimpleNamespace(conn_id="c", host=None, port=None, password=str(UUID(int=0)), extra_dejson=Extra())
    ConnectionSettings.from_connection(connection)
    assert asked == set(get_provider_info()["connection-types"][0]["conn-fields"])


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(result.stdout.split())


def test_importing_operators_imports_no_http_client_and_no_limiter():
    modules = [
        f"lessonspace_provider.{kind}.{module.name}"
        for kind in KINDS
        for module in pkgutil.iter_modules(importlib.import_module(f"lessonspace_provider.{kind}").__path__)
    ]
    loaded = loaded_by(f"import {', '.join(modules)}")
    assert set(modules) <= loaded
    assert not {"requests", "pyrate_limiter", "lessonspace_provider.hooks.lessonspace"} & loaded


def test_importing_the_package_imports_nothing_else():
    assert lessonspace_provider.__version__
    ours = {name for name in loaded_by("import lessonspace_provider") if name.startswith(("lessonspace", "airflow"))}
    assert ours == {"lessonspace_provider"}


def test_the_sandbox_and_the_provider_share_no_code():
    root = Path(lessonspace_provider.__file__).parent
    for path in root.rglob("*.py"):
        inside = path.is_relative_to(root / "sandbox")
        for line in path.read_text().splitlines():
            if line.lstrip().startswith(("from lessonspace_provider", "import lessonspace_provider")):
                assert ("lessonspace_provider.sandbox" in line) is inside, f"{path.name}: {line}"
