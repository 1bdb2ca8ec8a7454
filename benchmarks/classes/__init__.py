# SPDX-License-Identifier: Apache-2.0
"""A morning of classes, launched as mapped tasks."""
