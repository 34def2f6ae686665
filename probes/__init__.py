"""How a stack is measured, recorded and reported; a stack is known by its contract alone."""
