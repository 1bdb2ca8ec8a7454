# SPDX-License-Identifier: Apache-2.0
"""Test each assumption about the Lessonspace API with an account: ``python -m lessonspace_provider.live_check``."""
