"""What went wrong in a validation."""

from collections.abc import Callable

import pytest

from weakspot.pipeline.validate import Finding, validate


@pytest.fixture
def problems() -> Callable[..., list[Finding]]:
    """Validate a workspace and give what did not pass, of all checks or of one."""

    def found(workspace, config, domain=None, check=None) -> list[Finding]:
        report = validate(workspace, config, domain)
        return [f for f in report.findings if f.level != "pass" and check in (None, f.check)]

    return found
