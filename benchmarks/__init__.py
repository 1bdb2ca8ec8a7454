# SPDX-License-Identifier: Apache-2.0
"""Benchmarks, run by hand: ``python -m benchmarks.rate_limit``. Install ``--group benchmark`` first."""
