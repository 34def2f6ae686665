"""What a stack is made of: component resources; no configuration is read here, nothing is exported."""
