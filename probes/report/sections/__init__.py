"""The sections of the page, one file for each kind; each function gives markup, or None where it has nothing to say."""
