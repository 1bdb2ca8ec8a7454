# SPDX-License-Identifier: Apache-2.0
"""Erasure and expiry: people and sessions are taken out of an archive, and no later run brings them back."""
