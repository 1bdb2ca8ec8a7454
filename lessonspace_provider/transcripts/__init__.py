# SPDX-License-Identifier: Apache-2.0
"""Transcripts: their formats and the redaction of speakers. Pure."""
