"""What a stage of a Containerfile is made of."""

import pytest

from images.containerfile import Ingredients, ingredients, stages

TEXT = """
# comment
ARG RUNTIME=some
FROM ${RUNTIME} AS base
ENV A=1 \\
    B=2
FROM base AS one
COPY bin/a bin/b /bin/
COPY --from=assets /models/x.onnx /models/
FROM scratch AS other
COPY --from=package-b /install /
FROM scratch as two
COPY --from=one / /
COPY --from=assets /pictures /pictures
"""


def test_stages_have_their_instructions_without_comments_and_with_joined_lines() -> None:
    assert list(stages(TEXT)) == ["base", "one", "other", "two"]
    assert stages(TEXT)["base"] == ["FROM ${RUNTIME} AS base", "ENV A=1 B=2"]


def test_a_stage_is_made_of_what_it_stands_on_and_copies_from() -> None:
    two = ingredients(TEXT, "two")
    assert two.files == {"bin/a", "bin/b"}
    assert two.copied == {("assets", "/models/x.onnx"), ("assets", "/pictures")}
    assert two.parents == {"scratch", "${RUNTIME}"}
    assert "package-b" not in two.instructions
    assert "ENV A=1 B=2" in two.instructions


def test_a_stage_for_itself_knows_nothing_of_the_others() -> None:
    expected = Ingredients(
        "FROM scratch AS other\nCOPY --from=package-b /install /",
        frozenset(),
        frozenset({("package-b", "/install")}),
        frozenset({"scratch"}),
    )
    assert ingredients(TEXT, "other") == expected
    assert ingredients(TEXT.replace("bin/a", "bin/c"), "other") == expected


def test_an_unknown_stage_is_an_error() -> None:
    with pytest.raises(KeyError, match="three"):
        ingredients(TEXT, "three")
