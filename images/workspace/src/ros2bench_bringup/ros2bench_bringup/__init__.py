"""Starts and supervises several node processes in one container."""
