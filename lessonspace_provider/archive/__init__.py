# SPDX-License-Identifier: Apache-2.0
"""
The archive of transcripts: the account of each session, the manifests, and the run that fills them.

What a DAG needs of an archive's health is exported here.
"""

from lessonspace_provider.archive.health import Health
from lessonspace_provider.archive.health_problems import Problem, problems_of
from lessonspace_provider.archive.health_store import read_health, rebuild_health

__all__ = ["Health", "Problem", "problems_of", "read_health", "rebuild_health"]
