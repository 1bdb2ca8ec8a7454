# SPDX-License-Identifier: Apache-2.0
"""The health of an archive: its figures, what needs attention, and the page that shows them."""
