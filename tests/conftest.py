"""Settings of every test: the same examples each time, and no clock that a busy machine could fail."""

import os

import hypothesis

# Formatting an unresolved output into text is a mistake; without this it only looks like one.
os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "true"

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=40)
hypothesis.settings.register_profile("thorough", deadline=None, database=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
