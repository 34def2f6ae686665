"""Traces and logs: who keeps them, who brings them there, and what the pods of an experiment are told of it."""
