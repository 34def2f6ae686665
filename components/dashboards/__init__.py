"""What is shown of an experiment while it runs."""
