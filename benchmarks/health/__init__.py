# SPDX-License-Identifier: Apache-2.0
"""What the health of an archive costs."""
