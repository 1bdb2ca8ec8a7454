# SPDX-License-Identifier: Apache-2.0
"""The tables of an archive, as Parquet files that are made from its manifests and transcripts."""
