# SPDX-License-Identifier: Apache-2.0
"""A local Lessonspace to try and test DAGs against.

It shares no code with the provider, or it could not prove the provider right. Importing this package is
cheap: the servers' libraries are loaded when a ``Sandbox`` is started.

From a shell:

    python -m lessonspace_provider.sandbox

From Python:

    with Sandbox(SandboxSettings(rate=0)) as sandbox:
        ...  # sandbox.base_url, sandbox.api_key, sandbox.control

In pytest: ``pytest_plugins = ["lessonspace_provider.sandbox.pytest_plugin"]``.
"""

from lessonspace_provider.sandbox.client import SandboxControl, SandboxControlError
from lessonspace_provider.sandbox.messages import Fault, NewSession, Visit
from lessonspace_provider.sandbox.server import Sandbox
from lessonspace_provider.sandbox.settings import SandboxSettings

__all__ = ["Fault", "NewSession", "Sandbox", "SandboxControl", "SandboxControlError", "SandboxSettings", "Visit"]
