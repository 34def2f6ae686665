"""The pinned programs that the lab runs: found, downloaded and checked, or built from their published Go modules."""
