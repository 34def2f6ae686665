"""Timing claims of ros2bench, each a paired ratio with an A/A control: `python -m benchmarks.NAME`."""
