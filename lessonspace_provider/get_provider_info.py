# SPDX-License-Identifier: Apache-2.0
"""What Airflow discovers of this provider, without importing anything else of it."""

from __future__ import annotations

from lessonspace_provider import __version__

_NAME = "Lessonspace"


def get_provider_info() -> dict[str, object]:
    """
    Describe the provider, as the entry point ``apache_airflow_provider`` has to.

    :return: the shape of ``airflow/provider_info.schema.json``; the connection form, in kebab-case, is that of
        ``airflow/provider.yaml.schema.json``.
    """
    return {
        "package-name": "airflow-provider-lessonspace",
        "name": _NAME,
        "description": "Launch spaces of the online classroom Lessonspace, and archive their sessions' transcripts.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://www.thelessonspace.com/docs/api",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": _NAME, "python-modules": ["lessonspace_provider.hooks.lessonspace"]}],
        "operators": [
            {
                "integration-name": _NAME,
                "python-modules": [
                    "lessonspace_provider.operators.archive",
                    "lessonspace_provider.operators.archive_erasure",
                    "lessonspace_provider.operators.archive_tables",
                    "lessonspace_provider.operators.sessions",
                    "lessonspace_provider.operators.spaces",
                    "lessonspace_provider.operators.transcripts",
                    "lessonspace_provider.operators.users",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": _NAME,
                "python-modules": [
                    "lessonspace_provider.sensors.sessions",
                    "lessonspace_provider.sensors.transcripts",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": _NAME,
                "python-modules": [
                    "lessonspace_provider.triggers.sessions",
                    "lessonspace_provider.triggers.transcripts",
                ],
            }
        ],
        "cli": ["lessonspace_provider.command_line.airflow_commands.get_commands"],
        "extra-links": [
            "lessonspace_provider.links.LessonspaceArchiveHealthLink",
            "lessonspace_provider.links.LessonspaceSpaceLink",
        ],
        "plugins": [
            {"name": "lessonspace", "plugin-class": "lessonspace_provider.plugin.definition.LessonspacePlugin"}
        ],
        "config": {
            "lessonspace": {
                "description": "Settings of the Lessonspace provider.",
                "options": {
                    "archives": {
                        "description": (
                            "The archives that the page Lessonspace shows: their folders, as in destination of the "
                            "archive's operator, with commas between them. Only the API server reads it."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "s3://aws_default@my-bucket/transcripts",
                        "default": "",
                    }
                },
            }
        },
        "connection-types": [
            {
                "connection-type": "lessonspace",
                "hook-class-name": "lessonspace_provider.hooks.lessonspace.LessonspaceHook",
                "hook-name": _NAME,
                "ui-field-behaviour": {
                    # Not the port: Airflow 3.3's UI refuses to test a stored connection that has none (it asks with
                    # port 0, and that differs from what is stored).
                    "hidden-fields": ["schema", "login"],
                    "relabeling": {"password": "API key", "host": "Base URL", "port": "Port of the base URL"},
                    "placeholders": {
                        "host": "https://api.thelessonspace.com/v2",
                        "password": "The bare key, a lower-case UUID",
                        "port": "443. Airflow 3.3 needs it to test the connection",
                    },
                },
                "conn-fields": {
                    "organisation_id": {
                        "label": "Organisation id",
                        "description": "Leave blank to request it with the API key.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "timeout": {
                        "label": "Read timeout (s)",
                        "description": "Seconds without a byte after which a call is retried. Default 60.",
                        "schema": {"type": ["number", "null"], "minimum": 1},
                    },
                    "connect_timeout": {
                        "label": "Connect timeout (s)",
                        "description": "Seconds to reach the host. Default 10.",
                        "schema": {"type": ["number", "null"], "minimum": 1},
                    },
                    "rate_limit_per_second": {
                        "label": "Requests per second",
                        "description": "The limit of your API key, for all users together. Default 5; 0 disables it.",
                        "schema": {"type": ["number", "null"], "minimum": 0},
                    },
                    "rate_limit_max_wait": {
                        "label": "Longest wait for the rate limit (s)",
                        "description": "A call that would wait longer fails. Default 600.",
                        "schema": {"type": ["number", "null"], "minimum": 1},
                    },
                    "rate_limit_backend": {
                        "label": "Rate limit kept in",
                        "description": "local: for all processes of a machine. redis: for several machines.",
                        "schema": {"type": ["string", "null"], "enum": ["local", "redis"], "default": "local"},
                    },
                    "rate_limit_redis_conn_id": {
                        "label": "Redis for the rate limit",
                        "description": "For redis: the id of an Airflow connection of type redis.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "rate_limit_dir": {
                        "label": "Folder for the rate limit",
                        "description": "On a local disk. Leave blank for a folder in Airflow's home.",
                        "schema": {"type": ["string", "null"]},
                    },
                },
            }
        ],
    }
