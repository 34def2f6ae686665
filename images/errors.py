"""What the image build says when it cannot go on."""


class BuildError(Exception):
    """The build cannot go on; the text says what was tried, what is wrong, and what to do next."""
