# SPDX-License-Identifier: Apache-2.0
"""What Airflow discovers, and what importing the provider costs."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
from contextlib import nullcontext
from functools import reduce
from operator import getitem
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import airflow
import jsonschema
import pytest
import yaml
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.providers_manager import ProvidersManager
from airflow.sdk import Connection

import lessonspace_provider
from lessonspace_provider.api import connection as connection_settings
from lessonspace_provider.get_provider_info import get_provider_info
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from tests.airflow_version import needs_airflow, older_than

#: Folders whose modules Airflow is told of, as far as they exist.
KINDS = [
    kind
    for kind in ("operators", "sensors", "triggers")
    if importlib.util.find_spec(f"lessonspace_provider.{kind}") is not None
]
SCHEMAS = Path(airflow.__file__).parent
REGISTRY = Path(__file__).parent.parent.parent / ".airflow-registry.yaml"
(CONNECTION_TYPE,) = get_provider_info()["connection-types"]
FORM_TITLES = ("Base URL", "API key", "Port of the base URL")


def schema(name):
    """Read one of Airflow's schemas, without asking for what is written when Airflow's own providers are released."""
    return json.loads((SCHEMAS / name).read_text()) | {"required": []}


def without_unknown_keys(schema):
    """Refuse keys that a schema does not name, wherever it names any: Airflow leaves misspelt ones aside in silence."""
    if isinstance(schema, list):
        return [without_unknown_keys(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: without_unknown_keys(part) for name, part in schema.items()}
    return strict | ({"additionalProperties": False} if isinstance(schema.get("properties"), dict) else {})


def test_a_retry_policy_names_the_version_that_it_needs():
    with pytest.raises(ImportError, match=r"needs Airflow 3\.3") if older_than("3.3") else nullcontext():
        importlib.import_module("lessonspace_provider.retry_policy")


@pytest.mark.parametrize("name", ["provider.yaml.schema.json", "provider_info.schema.json"])
def test_the_provider_info_fits_airflows_schemas(name):
    info = get_provider_info()
    if name == "provider.yaml.schema.json" and older_than("3.2"):
        del info["cli"]  # which the schema of releases did not have yet, and the one of installed providers lets pass
    jsonschema.validate(info, schema(name))


@needs_airflow("3.3", "older ones leave keys aside that they do not know")
def test_every_key_of_the_provider_info_is_known_to_airflow():
    jsonschema.validate(get_provider_info(), without_unknown_keys(schema("provider.yaml.schema.json")))


@needs_airflow("3.3", "older ones leave keys aside that they do not know")
@pytest.mark.parametrize(
    "place",
    [
        (),
        ("integrations", 0),
        ("hooks", 0),
        ("operators", 0),
        ("sensors", 0),
        ("triggers", 0),
        ("connection-types", 0),
        ("connection-types", 0, "ui-field-behaviour"),
        ("connection-types", 0, "conn-fields", "timeout"),
        ("connection-types", 0, "conn-fields", "timeout", "schema"),
    ],
    ids=lambda place: "/".join(map(str, place)) or "top",
)
def test_a_misspelt_key_would_be_reported(place):
    info = get_provider_info()
    reduce(getitem, place, info)["mispelt"] = []
    with pytest.raises(jsonschema.ValidationError, match="mispelt"):
        jsonschema.validate(info, without_unknown_keys(schema("provider.yaml.schema.json")))


def served_form():
    """What Airflow's API server tells its UI, from a process of its own: 3.1 leaves rules out once it knows a hook."""
    forms = "[form.model_dump() for form in HookMetaService.hook_meta_data()]"
    program = f"import json; from {HookMetaService.__module__} import HookMetaService; print(json.dumps({forms}))"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    (form,) = [form for form in json.loads(told.splitlines()[-1]) if form["connection_type"] == "lessonspace"]
    return form


def test_the_ui_is_served_the_connection_form():
    if older_than("3.1"):
        pytest.importorskip("wtforms", reason="Airflow 3.0 shows the fields of a provider only where WTForms is")
    form = served_form()
    assert form["hook_name"] == "Lessonspace"
    standard = form["standard_fields"]
    assert tuple(standard[field]["title"] for field in ("host", "password", "port")) == FORM_TITLES
    assert standard["host"]["placeholder"] == connection_settings.DEFAULT_BASE_URL
    assert standard["url_schema"]["hidden"]
    assert standard["login"]["hidden"]
    # Airflow 3.3's UI can't test what is stored without a port.
    assert not standard["port"]["hidden"]
    extra = form["extra_fields"]
    assert {name: field["schema"]["title"] for name, field in extra.items()} == {
        name: field["label"] for name, field in CONNECTION_TYPE["conn-fields"].items()
    }
    # On Python 3.10, Airflow 3.1 puts its stand-in for WTForms' rules where nobody imports it from.
    if not (sys.version_info < (3, 11) and older_than("3.2") and not older_than("3.1")):
        assert extra["rate_limit_backend"]["schema"]["enum"] == list(connection_settings.BACKENDS)


def test_airflows_providers_manager_serves_all_of_it():
    manager = ProvidersManager()
    assert get_provider_info().items() <= manager.providers["airflow-provider-lessonspace"].data.items()
    assert set(get_provider_info()["extra-links"]) <= set(manager.extra_links_class_names)


def test_a_connection_of_the_type_gives_airflow_the_hook():
    hook = Connection(conn_id="school", conn_type="lessonspace").get_hook()
    assert isinstance(hook, LessonspaceHook)
    assert hook.lessonspace_conn_id == "school"


def has_public_classes(name):
    """Whether a module defines what Airflow is to be told of, and does not only serve the others of its package."""
    values = vars(importlib.import_module(name)).values()
    own = [value.__name__ for value in values if isinstance(value, type) and value.__module__ == name]
    return any(own_name.startswith("Lessonspace") for own_name in own)


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
        if module.name not in ("base", "bulk") and has_public_classes(f"lessonspace_provider.{kind}.{module.name}")
    }
    assert existing | {"lessonspace_provider.hooks.lessonspace"} == listed
    for module in listed:
        importlib.import_module(module)


@pytest.mark.parametrize("kind", ["hooks", *KINDS])
def test_the_file_for_registries_names_every_class_that_airflow_knows(kind):
    registry = yaml.safe_load(REGISTRY.read_text())
    modules = [importlib.import_module(name) for group in get_provider_info()[kind] for name in group["python-modules"]]
    classes = {
        f"{module.__name__}.{name}"
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and name.startswith("Lessonspace")
    }
    assert {entry["module"] for entry in registry[kind]} == classes


def test_the_file_for_registries_describes_the_same_provider():
    registry, info = yaml.safe_load(REGISTRY.read_text()), get_provider_info()
    names = ("package-name", "display-name", "description")
    assert [registry[name] for name in names] == [info["package-name"], info["name"], info["description"]]


def test_the_hook_gives_the_same_form_to_airflow_3_0_and_3_1(monkeypatch):
    fields = {"IntegerField": HookMetaService.MockIntegerField, "StringField": HookMetaService.MockStringField}
    rules = {"Optional": HookMetaService.MockOptional, "any_of": HookMetaService.MockEnum}
    monkeypatch.setitem(sys.modules, "wtforms", SimpleNamespace(**fields))
    monkeypatch.setitem(sys.modules, "wtforms.validators", SimpleNamespace(**rules))
    widgets = LessonspaceHook.get_connection_form_widgets()
    assert list(widgets) == list(CONNECTION_TYPE["conn-fields"])
    for name, field in CONNECTION_TYPE["conn-fields"].items():
        shown, wanted = widgets[name].param.dump(), field["schema"]
        assert (shown["schema"]["title"], shown["description"]) == (field["label"], field["description"])
        assert shown["value"] == wanted.get("default")
        assert shown["schema"].get("enum") == wanted.get("enum")
        assert shown["schema"]["type"] == ["integer" if kind == "number" else kind for kind in wanted["type"]]
    behaviour = LessonspaceHook.get_ui_field_behaviour()
    jsonschema.validate(behaviour, json.loads((SCHEMAS / "customized_form_field_behaviours.schema.json").read_text()))
    assert behaviour["hidden_fields"] == CONNECTION_TYPE["ui-field-behaviour"]["hidden-fields"]
    assert behaviour["relabeling"]["password"] == "API key"


def test_every_extra_that_the_hook_reads_is_in_the_form():
    asked = set()

    class Extra(dict):
        def get(self, name, default=None):
            asked.add(name)
            return default

    connection = SimpleNamespace(
        conn_id="c", host=None, port=None, schema=None, password=str(UUID(int=0)), extra=None, extra_dejson=Extra()
    )
    connection_settings.ConnectionSettings.from_connection(connection)
    assert asked == set(CONNECTION_TYPE["conn-fields"])


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
    assert not {"requests", "pyarrow", "openlineage", "lessonspace_provider.hooks.lessonspace"} & loaded


def test_importing_the_package_imports_nothing_else():
    assert lessonspace_provider.__version__
    ours = {name for name in loaded_by("import lessonspace_provider") if name.startswith(("lessonspace", "airflow"))}
    assert ours == {"lessonspace_provider"}


@pytest.mark.parametrize("folder", ["lessonspace_provider", "dags_examples"])
def test_exceptions_are_imported_from_where_all_versions_of_airflow_have_them(folder):
    root = Path(lessonspace_provider.__file__).parent.parent / folder
    # Before Airflow 3.2, this module lacks most of them.
    assert not [path.name for path in root.rglob("*.py") if "airflow.sdk.exceptions" in path.read_text()]


def test_the_sandbox_and_the_provider_share_no_code():
    root = Path(lessonspace_provider.__file__).parent
    for path in root.rglob("*.py"):
        inside = path.is_relative_to(root / "sandbox")
        for line in path.read_text().splitlines():
            if line.lstrip().startswith(("from lessonspace_provider", "import lessonspace_provider")):
                assert ("lessonspace_provider.sandbox" in line) is inside, f"{path.name}: {line}"
