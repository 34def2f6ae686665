"""What a stack is: its spec, its programs, and the contract that it exports."""
