"""The whole engine over a simulated world, on one thread and in virtual time: an hour takes a moment."""
