# SPDX-License-Identifier: Apache-2.0
"""What an Airflow connection says, from JSON and from a URI, and what in it is refused."""

from __future__ import annotations

import asyncio
import json
import sys
from operator import attrgetter
from unittest.mock import Mock
from uuid import UUID

import pytest
from airflow.sdk import Connection
from asgiref.sync import async_to_sync

from lessonspace_provider.api.connection import ConnectionSettings
from lessonspace_provider.exceptions import LessonspaceInputError
from lessonspace_provider.hooks.lessonspace import LessonspaceHook
from lessonspace_provider.rate_limit.gate import RateLimitSettings
from lessonspace_provider.rate_limit.redis_client import REDIS_TIMEOUT
from tests.unit.hooks.known import API, KEY, connection_json, messages_of


@pytest.fixture
def settings_of(monkeypatch):
    """Read a connection that is written as Airflow's environment variables take it."""

    def read(text):
        monkeypatch.setenv("AIRFLOW_CONN_SCHOOL", text)
        return LessonspaceHook("school").settings

    return read


def test_a_key_is_all_a_connection_needs(settings_of):
    assert settings_of(json.dumps({"conn_type": "lessonspace", "password": KEY})) == ConnectionSettings(
        conn_id="school",
        base_url=API,
        api_key=KEY,
        organisation_id=None,
        connect_timeout=10.0,
        read_timeout=60.0,
        rate_limit=RateLimitSettings(per_second=5.0, max_wait=600.0),
    )


def test_a_uri_gives_everything_as_text(settings_of):
    settings = settings_of(
        f"lessonspace://:{KEY}@https%3A%2F%2Fproxy.school.example%3A8443%2Fapi/?organisation_id=42&timeout=30"
        "&connect_timeout=2.5&rate_limit_per_second=0.5&rate_limit_max_wait=60"
    )
    assert settings == ConnectionSettings(
        conn_id="school",
        base_url="https://proxy.school.example:8443/api",
        api_key=KEY,
        organisation_id="42",
        connect_timeout=2.5,
        read_timeout=30.0,
        rate_limit=RateLimitSettings(per_second=0.5, max_wait=60.0),
    )


def test_a_uri_with_a_bare_host_gives_the_api_of_that_host(settings_of):
    assert settings_of(f"lessonspace://:{KEY}@api.thelessonspace.com/v2").base_url == API
    assert settings_of(f"lessonspace://:{KEY}@").base_url == API


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        (None, API),
        ("", API),
        ("  ", API),
        (API, API),
        (f" {API}// ", API),
        ("https://api.thelessonspace.com", API),
        ("api.thelessonspace.com", API),
        ("api.thelessonspace.com/v2/", API),
        ("https://proxy.school.example:8443/lesson", "https://proxy.school.example:8443/lesson"),
        ("http://127.0.0.1:8000/v2", "http://127.0.0.1:8000/v2"),
        ("http://localhost:8000", "http://localhost:8000/v2"),
        ("sandbox:8000/v2", "https://sandbox:8000/v2"),
        ("https://[::1]:8000/v2", "https://[::1]:8000/v2"),
    ],
)
def test_a_host_becomes_the_base_url(settings_of, host, base_url):
    assert settings_of(connection_json(host=host)).base_url == base_url


@pytest.mark.parametrize(
    "host",
    [
        "http://api.thelessonspace.com/v2",
        "http://API.thelessonspace.com",
        "http://api.thelessonspace.com./v2",
        "ftp://api.thelessonspace.com/v2",
        "file:///etc/passwd",
        "https://",
        "https:///v2",
        "https://somebody:s3cr3t@api.thelessonspace.com/v2",
        "https://:s3cr3t@api.thelessonspace.com/v2",
        "somebody@api.thelessonspace.com",
        "https://api.thelessonspace.com@evil.example/v2",
        "https://api.thelessonspace.com/v2?key=s3cr3t",
        "https://api.thelessonspace.com/v2?",
        "https://api.thelessonspace.com/v2#part",
        "https://api.thelessonspace.com/v2#",
        "https://host:port/v2",
        "https://host:99999/v2",
        "https://host:0/v2",
        "https://[broken/v2",
        "https://evil.example\\.thelessonspace.com/v2",
        "https://two words/v2",
        "https://api.thelessonspace.com\n/v2",
        "https://api.thelessonspace.com/\tv2",
    ],
)
def test_a_host_that_is_no_base_url_is_refused_without_repeating_it(settings_of, host):
    with pytest.raises(LessonspaceInputError, match=r"Connection 'school': the host was refused.*base URL") as caught:
        _ = settings_of(connection_json(host=host))
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"host": "api.thelessonspace.com", "port": 8080}, "port"),
        ({"host": API, "port": 80}, "port"),
        ({"host": "http://127.0.0.1:8750/v2", "port": 443}, "port"),
        ({"host": "https://[::1]/v2", "port": 8750}, "port"),
        ({"host": "127.0.0.1", "schema": "http"}, "schema"),
        ({"host": "127.0.0.1", "port": 8796, "schema": "http"}, "port and schema"),
        ({"host": "proxy.example", "schema": KEY}, "schema"),
    ],
)
def test_port_and_schema_that_contradict_the_host_are_ignored_with_a_warning(monkeypatch, fields, ignored):
    connection = {"conn_type": "lessonspace", "password": KEY, **fields}
    monkeypatch.setenv("AIRFLOW_CONN_SCHOOL", json.dumps(connection))
    log = Mock()
    monkeypatch.setattr(LessonspaceHook, "log", log)
    settings = LessonspaceHook("school").settings
    template, *values = log.warning.call_args.args
    warning = template % tuple(values)
    assert warning.startswith(f"Connection 'school': {ignored} ignored: the host alone is the base URL, ")
    assert settings.base_url in warning
    assert KEY not in warning


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        (f"lessonspace://:{KEY}@http%3A%2F%2F127.0.0.1%3A8796%2Fv2", "http://127.0.0.1:8796/v2"),
        (f"lessonspace://:{KEY}@http%3A%2F%2F127.0.0.1%3A8796%2Fv2:8796", "http://127.0.0.1:8796/v2"),
        (f"lessonspace://:{KEY}@api.thelessonspace.com/v2", API),
        (f"lessonspace://:{KEY}@", API),
        (json.dumps({"conn_type": "lessonspace", "password": KEY, "schema": "HTTPS"}), API),
    ],
)
def test_a_uri_holds_the_base_url_percent_encoded_and_its_path_may_repeat_it(settings_of, uri, base_url):
    assert settings_of(uri).base_url == base_url


@pytest.mark.parametrize(
    ("host", "port", "base_url"),
    [
        (None, 443, API),
        (None, 0, API),
        ("api.thelessonspace.com", 443, API),
        ("https://api.thelessonspace.com:443/v2", 443, "https://api.thelessonspace.com:443/v2"),
        ("http://127.0.0.1", 80, "http://127.0.0.1/v2"),
        ("http://127.0.0.1:8750/v2", 8750, "http://127.0.0.1:8750/v2"),
        ("http://[::1]:8750", 8750, "http://[::1]:8750/v2"),
    ],
)
def test_the_base_urls_own_port_changes_nothing(settings_of, host, port, base_url):
    text = json.dumps({"conn_type": "lessonspace", "password": KEY, "host": host, "port": port})
    settings = settings_of(text)
    assert (settings.base_url, settings.warnings) == (base_url, ())


@pytest.mark.parametrize("key", [f" {KEY}", f"{KEY}\n", f"\t{KEY} \r\n"])
def test_blanks_around_a_key_are_dropped(settings_of, key):
    assert settings_of(connection_json(password=key)).api_key == KEY


@pytest.mark.parametrize("key", [None, "", "  ", "\n"])
def test_a_connection_without_a_key_names_where_it_belongs(settings_of, key):
    with pytest.raises(LessonspaceInputError, match=r"'school' has no API key: enter it in .* \(the password\)"):
        settings_of(connection_json(password=key))


@pytest.mark.parametrize(
    "key",
    [
        f"Organisation {KEY}",
        f"{KEY} {KEY}",
        f"{KEY}\r\nX-Evil: 1",
        f"{KEY}\u200b",
        "schlüssel",
        "k3y\x00",
        "k3y",
        KEY.upper(),
        KEY.replace("-", ""),
        KEY[:-1],
        f"{KEY}0",
        f"{{{KEY}}}",
        KEY.replace("4", "g", 1),
    ],
)
def test_what_can_not_be_a_key_is_refused_without_repeating_it(settings_of, key):
    with pytest.raises(LessonspaceInputError, match="'school': the API key was refused: it must be the bare key") as e:
        settings_of(connection_json(password=key))
    assert key not in str(e.value)
    assert KEY not in str(e.value)


@pytest.mark.parametrize(
    ("field", "attribute", "default"),
    [
        ("timeout", "read_timeout", 60.0),
        ("connect_timeout", "connect_timeout", 10.0),
        ("rate_limit_per_second", "rate_limit.per_second", 5.0),
        ("rate_limit_max_wait", "rate_limit.max_wait", 600.0),
    ],
)
class TestNumbers:
    @pytest.mark.parametrize(("value", "number"), [(7, 7.0), (0.5, 0.5), ("7", 7.0), (" 7.5 ", 7.5)])
    def test_a_number_may_be_written_as_text(self, settings_of, field, attribute, default, value, number):
        assert attrgetter(attribute)(settings_of(connection_json(**{field: value}))) == number

    @pytest.mark.parametrize("value", [None, "", "  "])
    def test_a_blank_field_is_not_given(self, settings_of, field, attribute, default, value):
        assert attrgetter(attribute)(settings_of(connection_json(**{field: value}))) == default

    @pytest.mark.parametrize(
        "value", ["30s", "-1", -1, "nan", "inf", float("inf"), True, False, [], {"s": 1}, "1e400", 1e12, "1000001"]
    )
    def test_anything_else_is_refused(self, settings_of, field, attribute, default, value):
        with pytest.raises(LessonspaceInputError, match=f"Connection 'school': {field}=.* must be a number") as caught:
            settings_of(connection_json(**{field: value}))
        assert repr(value) in str(caught.value)

    def test_a_number_that_is_too_large_for_a_fraction_is_refused(self, settings_of, field, attribute, default):
        with pytest.raises(LessonspaceInputError, match=f"{field}=10000.* must be a number .* at most 1000000"):
            settings_of(connection_json(**{field: 10**400}))

    @pytest.mark.parametrize(
        "key", [str(UUID(int=2**127 + 7)), str(UUID(int=2**127 + 7)).upper(), UUID(int=2**127).hex]
    )
    def test_a_key_in_the_wrong_field_is_not_repeated(self, settings_of, field, attribute, default, key):
        with pytest.raises(LessonspaceInputError, match=f"{field}=<an API key> was refused") as caught:
            settings_of(connection_json(**{field: key}))
        assert key not in str(caught.value)

    def test_zero_turns_only_the_rate_limit_off(self, settings_of, field, attribute, default):
        if field == "rate_limit_per_second":
            assert settings_of(connection_json(**{field: 0})).rate_limit.per_second == 0
            assert settings_of(connection_json(**{field: "0"})).rate_limit.per_second == 0
        else:
            with pytest.raises(LessonspaceInputError, match=f"{field}=0 was refused: it must be a number above 0"):
                settings_of(connection_json(**{field: 0}))


@pytest.mark.parametrize(
    ("value", "organisation_id"), [(42, "42"), ("42", "42"), (" 42 ", "42"), (None, None), ("", None), (" ", None)]
)
def test_an_organisation_id_is_text_or_left_to_be_discovered(settings_of, value, organisation_id):
    assert settings_of(connection_json(organisation_id=value)).organisation_id == organisation_id


@pytest.mark.parametrize("value", ["42/../43", "4 2", "42?", "..", True, 4.2, {"id": 42}])
def test_an_organisation_id_with_other_characters_is_refused(settings_of, value):
    with pytest.raises(LessonspaceInputError, match=r"'school': organisation_id=.* Leave it blank"):
        settings_of(connection_json(organisation_id=value))


@pytest.mark.parametrize("value", [KEY, KEY.upper(), f" {KEY} "])
def test_an_api_key_as_organisation_id_is_refused_and_not_repeated(settings_of, value):
    with pytest.raises(LessonspaceInputError, match="organisation_id=<an API key> was refused") as caught:
        settings_of(connection_json(organisation_id=value))
    assert KEY not in str(caught.value).lower()


def test_the_connection_is_read_once_and_only_when_it_is_needed(monkeypatch):
    read = []
    monkeypatch.setenv("AIRFLOW_CONN_SCHOOL", connection_json())
    original = LessonspaceHook.get_connection
    monkeypatch.setattr(LessonspaceHook, "get_connection", lambda _, conn_id: read.append(conn_id) or original(conn_id))
    hook = LessonspaceHook("school")
    assert read == []
    assert hook.settings is hook.settings
    assert hook.get_conn() is hook.get_conn()
    assert read == ["school"]


# --- Where the rate limit is kept ------------------------------------------------------------------------------------


def test_the_rate_limit_is_kept_on_this_machine_by_default(settings_of):
    limit = settings_of(connection_json()).rate_limit
    assert (limit.redis_conn_id, limit.directory) == (None, None)


def test_the_rate_limit_may_be_kept_in_redis_or_in_a_folder(settings_of):
    settings = settings_of(
        f"lessonspace://:{KEY}@/?rate_limit_backend=redis&rate_limit_redis_conn_id=shared_redis"
        "&rate_limit_dir=+%2Fvar%2Flessonspace+"
    )
    assert settings.rate_limit.redis_conn_id == "shared_redis"
    assert settings.rate_limit.directory == "/var/lessonspace"
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rate_limit_backend": "memory"}, "rate_limit_backend='memory' was refused: it must be one of local, redis"),
        ({"rate_limit_backend": 7}, "rate_limit_backend was refused: it must be text"),
        ({"rate_limit_backend": "redis"}, "'redis' needs rate_limit_redis_conn_id"),
        ({"rate_limit_backend": "redis", "rate_limit_redis_conn_id": " "}, "'redis' needs rate_limit_redis_conn_id"),
        ({"rate_limit_redis_conn_id": {"password": "s3cr3t"}}, "rate_limit_redis_conn_id was refused: it must be text"),
        ({"rate_limit_dir": 7}, "rate_limit_dir was refused: it must be text"),
        ({"rate_limit_dir": "queues"}, "rate_limit_dir='queues' was refused: it must be an absolute path"),
    ],
)
def test_a_rate_limit_that_can_not_be_kept_there_is_refused(settings_of, fields, words):
    with pytest.raises(LessonspaceInputError, match=r"Connection 'school'") as caught:
        settings_of(connection_json(**fields))
    assert words in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.fixture
def gates(monkeypatch):
    """What gate_for was called with."""
    asked = []
    monkeypatch.setattr("lessonspace_provider.hooks.lessonspace.gate_for", lambda *arguments: asked.append(arguments))
    return asked


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        ({"host": "cache"}, {"host": "cache", "port": 6379}),
        (
            {"host": "cache", "port": 6380, "login": "me", "password": "s3cr3t", "extra": {"db": 3}},
            {"host": "cache", "port": 6380, "username": "me", "password": "s3cr3t", "db": 3},
        ),
        (
            {"host": "cache", "extra": {"ssl": True, "ssl_ca_certs": "/ca.pem", "ssl_cert_reqs": "required"}},
            {"host": "cache", "ssl_ca_certs": "/ca.pem", "ssl_cert_reqs": "required"},
        ),
    ],
)
def test_redis_client_uses_all_of_its_airflow_connection(monkeypatch, gates, connection, expected):
    monkeypatch.setenv("AIRFLOW_CONN_SHARED_REDIS", json.dumps({"conn_type": "redis", **connection}))
    fields = {"rate_limit_backend": "redis", "rate_limit_redis_conn_id": "shared_redis"}
    monkeypatch.setenv("AIRFLOW_CONN_SCHOOL", connection_json(**fields))
    LessonspaceHook("school").get_conn()
    ((_, _, settings, redis),) = gates
    kwargs = redis.connection_pool.connection_kwargs
    assert {name: kwargs[name] for name in expected} == expected
    assert (kwargs["socket_timeout"], kwargs["socket_connect_timeout"]) == (REDIS_TIMEOUT, REDIS_TIMEOUT)
    assert ("SSL" in redis.connection_pool.connection_class.__name__) == ("ssl_ca_certs" in expected)
    assert settings.redis_conn_id == "shared_redis"
    assert "s3cr3t" not in repr(settings)


def test_redis_cluster_is_refused(monkeypatch):
    class Cluster:
        """A client without a pool of its own."""

    monkeypatch.setattr("airflow.providers.redis.hooks.redis.RedisHook.get_conn", lambda _: Cluster())
    fields = {"rate_limit_backend": "redis", "rate_limit_redis_conn_id": "shared_redis"}
    monkeypatch.setenv("AIRFLOW_CONN_SCHOOL", connection_json(**fields))
    good, message = LessonspaceHook("school").test_connection()
    assert (good, "Connection 'shared_redis': a Redis cluster" in message) == (False, True)


def test_missing_redis_provider_is_named_with_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "airflow.providers.redis.hooks.redis", None)
    fields = {"rate_limit_backend": "redis", "rate_limit_redis_conn_id": "shared_redis"}
    monkeypatch.setenv("AIRFLOW_CONN_SCHOOL", connection_json(**fields))
    good, message = LessonspaceHook("school").test_connection()
    assert (good, "'airflow-provider-lessonspace[redis]'" in message) == (False, True)


def test_a_trigger_reads_an_extra_outside_of_the_event_loop(monkeypatch, gates):
    class MaskingConnection(Connection):
        """A connection of Airflow 3.0: whoever reads its extra talks to the triggerer, whose event loop is this one."""

        @property
        def extra_dejson(self):
            async_to_sync(asyncio.sleep)(0)
            return super().extra_dejson

    limit = {"rate_limit_backend": "redis", "rate_limit_redis_conn_id": "my_redis"}
    connections = {
        "school": MaskingConnection(conn_id="school", conn_type="lessonspace", password=KEY, extra=json.dumps(limit)),
        "my_redis": MaskingConnection(conn_id="my_redis", conn_type="redis", host="cache", extra='{"db": 2}'),
    }

    async def get(conn_id):
        return connections[conn_id]

    monkeypatch.setattr("lessonspace_provider.hooks.lessonspace.get_async_connection", get)
    monkeypatch.setattr("airflow.providers.redis.hooks.redis.RedisHook.get_connection", connections.get)
    hook = LessonspaceHook("school")
    asyncio.run(hook.load_settings())
    hook.get_conn()
    kwargs = gates[0][3].connection_pool.connection_kwargs
    assert (kwargs["host"], kwargs["db"]) == ("cache", 2)


def test_the_connections_rate_limit_reaches_its_gate(monkeypatch, gates):
    fields = {"rate_limit_per_second": 2.5, "rate_limit_max_wait": 60, "rate_limit_dir": "/var/lessonspace"}
    monkeypatch.setenv("AIRFLOW_CONN_SCHOOL", connection_json(rate_limit_redis_conn_id="unused", **fields))
    LessonspaceHook("school").get_conn()
    assert gates == [(KEY, API, RateLimitSettings(2.5, 60.0, "/var/lessonspace", None), None)]


def test_extra_fields_that_mean_nothing_are_named(settings_of):
    assert settings_of(connection_json()).warnings == ()
    settings = settings_of(connection_json(rate_limit_per_secnd=1, owner="me", rate_limit_dir="/x"))
    (warning,) = settings.warnings
    assert (
        "has unknown extra fields, perhaps misspelt: owner, rate_limit_per_secnd. Known fields: connect_timeout, "
        in warning
    )
    assert "organisation_id" in warning


@pytest.fixture
def settings_with(monkeypatch):
    """Read a connection whose extra is any text, which some secrets backends let through."""

    def read(extra):
        connection = Connection(conn_id="school", conn_type="lessonspace", password=KEY, extra=extra)
        monkeypatch.setattr(LessonspaceHook, "get_connection", lambda *_: connection)
        return LessonspaceHook("school").settings

    return read


@pytest.mark.parametrize("extra", ["[]", '["4242-secret"]', '"4242-secret"', "4242", "true"])
def test_an_extra_that_is_no_object_is_refused_without_repeating_it(settings_with, extra):
    with pytest.raises(LessonspaceInputError, match=r"'school'.*extra.*JSON object") as caught:
        settings_with(extra)
    assert "4242" not in messages_of(caught.value)


@pytest.mark.parametrize("extra", ["organisation_id=1234", '{"rate_limit_per_second": 2,}', "{'timeout': 30}"])
def test_an_extra_that_is_not_json_is_refused_and_not_taken_for_none(settings_with, extra):
    with pytest.raises(LessonspaceInputError, match=r"'school'.*extra.*JSON object.*text that is not JSON") as caught:
        settings_with(extra)
    assert extra not in str(caught.value)


@pytest.mark.parametrize("extra", ["", " ", "{}", None])
def test_a_blank_extra_is_none(settings_with, extra):
    assert settings_with(extra).organisation_id is None
