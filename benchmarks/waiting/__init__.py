# SPDX-License-Identifier: Apache-2.0
"""Many tasks that wait for sessions."""
