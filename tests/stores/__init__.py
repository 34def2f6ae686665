"""Stores put to the test: the promises that all of them keep, and the faults that they survive."""
