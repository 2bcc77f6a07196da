"""The formats of the OpenAPI document that schemathesis does not know; ``schemathesis.toml`` names this module."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

ZONES = ("Africa/Lagos", "America/New_York", "Asia/Kolkata", "Europe/London", "UTC")

schemathesis.openapi.format("iana-time-zone", st.sampled_from(ZONES))
