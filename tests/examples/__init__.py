"""The examples that users copy."""
