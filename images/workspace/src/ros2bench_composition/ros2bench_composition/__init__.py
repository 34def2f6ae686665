"""Component container: loads signed, listed node classes at run time and nothing else."""
