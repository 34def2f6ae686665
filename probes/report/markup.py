"""HTML and SVG as values: every text is escaped unless it is markup already."""

import html
from collections.abc import Iterable

VOID = frozenset({"br", "hr", "input", "meta"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | None
Attribute = str | float | bool | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """Make an element.

    Args:
        name: Of the element.
        children: What it holds: texts are escaped, markup is not, None is left out.
        attributes: `class_` is `class`, `aria_label` is `aria-label`; True is an attribute without value, False and
            None are none.
    """
    words = [name, *(word for key, value in attributes.items() if (word := _attribute(key, value)))]
    opening = f"<{' '.join(words)}>"
    if name in VOID:
        return Markup(opening)
    return Markup(f"{opening}{join(children)}</{name}>")


def join(parts: Iterable[Child]) -> Markup:
    """Put parts behind one another."""
    return Markup("".join(escape(part) for part in parts if part is not None))


def escape(text: str) -> Markup:
    """Make text safe; markup stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(text))


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return name
    said = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f'{name}="{html.escape(said)}"'
