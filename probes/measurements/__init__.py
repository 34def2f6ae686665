"""What is measured: one file per measurement, each found by its name in this folder."""
