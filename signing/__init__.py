"""The operator's key, shared by what builds images and what measures; it never leaves the operator's machine."""
