"""Stand-ins of what no lab has, each with the word in its name: a board's own programs."""
