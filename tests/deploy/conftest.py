"""Every overlay, rendered."""

import pytest
from manifests import OVERLAYS, Rendered, rendered


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Rendered:
    return rendered(request.param)


@pytest.fixture(params=("staging", "production"))
def remote_overlay(request: pytest.FixtureRequest) -> Rendered:
    """An overlay of those that people use."""
    return rendered(request.param)
