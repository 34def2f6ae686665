"""What several test folders need: programs run without an engine, and values that tests start from."""
