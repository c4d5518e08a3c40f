"""What holds for every test."""

import asyncio

from hypothesis import settings

pytest_plugins = ["tests.lab.fixtures"]

# Otherwise the policy makes a default loop when a plugin asks for one outside of any test, and
# nobody closes it: that is a ResourceWarning, and here warnings are errors.
asyncio.set_event_loop(None)

# A busy machine is no failure: speed is measured in tests/bench.
settings.register_profile("remediator", deadline=None)
settings.load_profile("remediator")
