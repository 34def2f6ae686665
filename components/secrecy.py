"""What looks like a secret in plain configuration: by the name it has, or by the form that its text has. Pure.

A name alone decides only where a value stands beside it that could be a secret: not a path, a number, a truth value
or nothing. The text of a value is never repeated in a message.
"""

import re

CURE = "Put it into a Secret, and name that in ros2bench:spec.application.nodes.NODE.secrets"

WORDS = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "credentials", "apikey"})
PUBLIC = frozenset({"public", "pub", "primary", "foreign", "sort", "map", "partition"})
"""What stands before `key` where the key is no secret."""
SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
HARMLESS = re.compile(r"|/\S*|[-+]?\d+(\.\d+)?([eE][-+]?\d+)?|true|false|null|none", re.IGNORECASE)
ENTRY = re.compile(
    r"""^[ \t]*(?:-[ \t]*)?["']?([A-Za-z][\w.-]*)["']?[ \t]*[:=][ \t]*["']?([^"'\s,}][^"',}\n]*)""", re.MULTILINE
)
FORMS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"), "holds a private key"),
    (re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"), "holds the id of an AWS key"),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b"), "holds a token of GitHub"),
    (re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"), "holds a JSON web token"),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), "holds an address with a password in it"),
)


def of_variable(name: str, value: object) -> str | None:
    """Why an environment variable looks like a secret; None where it does not, or its value is not known yet."""
    if not isinstance(value, str):
        return None
    return _form(value) or (_BY_NAME if names_a_secret(name) and not HARMLESS.fullmatch(value.strip()) else None)


def of_file(name: str, text: object) -> str | None:
    """Why the text of a configuration file looks like a secret; None where it does not.

    Args:
        name: Name of the file.
        text: Its contents; lines of the forms `name: value` and `name=value` are looked at one by one.
    """
    if not isinstance(text, str):
        return None
    if found := _form(text):
        return found
    for entry in ENTRY.finditer(text):
        if names_a_secret(entry[1]) and not HARMLESS.fullmatch(entry[2].strip()):
            return f"has the entry {entry[1]}, whose name is that of a secret"
    single = "\n" not in text.strip() and not ENTRY.search(text)
    return of_variable(name, text) if single else None


def names_a_secret(name: str) -> bool:
    """Whether a name is that of a secret: one of its words is, or it ends in `key` without saying that it is public."""
    words = [word.lower() for word in SPLIT.split(name) if word]
    if not words:
        return False
    if words[-1] in {"file", "path", "name", "dir", "folder", "size", "length", "limit", "count", "id"}:
        return False
    if WORDS & set(words):
        return True
    return words[-1] == "key" and not PUBLIC & set(words)


_BY_NAME = "has the name of a secret and a plain value"


def _form(text: str) -> str | None:
    return next((why for pattern, why in FORMS if pattern.search(text)), None)
