"""What holds for every test."""

import asyncio

pytest_plugins = ["tests.lab.fixtures"]

# Otherwise the policy makes a default loop when a plugin asks for one outside of any test, and
# nobody closes it: that is a ResourceWarning, and here warnings are errors.
asyncio.set_event_loop(None)
