"""Settings of every test: the same examples each time, and no clock that a busy machine could fail."""

import gc
import os
import signal

import hypothesis

# Importing makes much and drops little: collecting garbage meanwhile would be a tenth of the tier's time.
gc.disable()

# Formatting an unresolved output into text is a mistake; without this it only looks like one.
os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "true"

# A shell that puts a command in the background has it ignore Ctrl-C, and so would every program that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=20)
hypothesis.settings.register_profile("thorough", deadline=None, database=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_finish() -> None:
    """Take what the imports left out of every later collection: a test that collects garbage would walk it."""
    gc.collect()
    gc.freeze()
    gc.enable()
