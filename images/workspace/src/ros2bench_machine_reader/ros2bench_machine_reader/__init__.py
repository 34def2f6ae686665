"""Reads the counters of one machine for whoever measures pods on it. Needs no ROS.

How to add a source of numbers (`sources.py`): a module with `open_sources(configuration)`, which
gives `sources.Source` objects; its name goes into `extensions.SOURCE_MODULES`.

How to add calls (`routing.py`): a module with `extension(configuration)`, which gives a
`routing.Extension`; its name goes into `extensions.ROUTE_MODULES`.
"""
