"""Every overlay, rendered: ours, and those of a new project."""

import pytest
from manifests import OVERLAYS, PROJECT_OVERLAYS, Rendered, rendered


@pytest.fixture(params=OVERLAYS + PROJECT_OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Rendered:
    return rendered(request.param)


@pytest.fixture(params=("staging", "production"))
def remote_overlay(request: pytest.FixtureRequest) -> Rendered:
    """An overlay of those that people use."""
    return rendered(request.param)
