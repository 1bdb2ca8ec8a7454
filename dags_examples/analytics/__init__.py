# SPDX-License-Identifier: Apache-2.0
"""What the DAG `lesson_analytics` computes and writes. No DAG: keep the folder beside it."""
