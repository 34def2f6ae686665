"""What looks like a secret is recognised by its name or its form; what only resembles one is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import secrecy

PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMII\n"
WEB_TOKEN = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijk"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2"),
        ("databasePassword", "hunter2"),
        ("API_KEY", "abc123xyz"),
        ("apiKey", "abc123xyz"),
        ("GITHUB_TOKEN", "abc"),
        ("CLIENT_SECRET", "abc"),
        ("ANYTHING", PEM),
        ("ANYTHING", "AKIA" + "ABCDEFGHIJKLMNOP"),
        ("ANYTHING", WEB_TOKEN),
        ("DATABASE_URL", "postgres://me:hunter2@db/robots"),
    ],
)
def test_a_secret_in_a_variable_is_seen(name: str, value: str) -> None:
    assert secrecy.of_variable(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_SHARED_CREDENTIALS_FILE", "/etc/keys/credentials"),
        ("TOKEN", "/var/run/token"),
        ("MAX_TOKENS", "many"),
        ("TOKEN_LIMIT", "100"),
        ("PASSWORD", ""),
        ("USE_PASSWORD", "false"),
        ("KEYBOARD", "qwertz"),
        ("PUBLIC_KEY", "MCowBQYDK2VwAyEA"),
        ("MONKEY", "banana"),
        ("ROS_DOMAIN_ID", "42"),
        ("ADDRESS", "http://host:8080/path"),
    ],
)
def test_what_only_resembles_a_secret_is_left_alone(name: str, value: str) -> None:
    assert secrecy.of_variable(name, value) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings.yaml", "camera:\n  ros__parameters:\n    stream_password: hunter2\n"),
        ("settings.json", '{\n "apiKey": "abc123xyz"\n}'),
        (".env", "RATE=10\nACCESS_TOKEN=abc\n"),
        ("id_ed25519", PEM),
        ("token", "abcdef"),
    ],
)
def test_a_secret_in_a_file_is_seen(name: str, text: str) -> None:
    assert secrecy.of_file(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("composition.json", '{"trust": {\n "public_key": "MCowBQ==",\n "signature": "abc"}}'),
        ("parameters.yaml", "planner:\n  ros__parameters:\n    token_limit: 100\n    key_bindings: qwertz\n"),
        ("known_hosts", "host ssh-ed25519 AAAA\n"),
        ("token", ""),
    ],
)
def test_an_ordinary_file_is_left_alone(name: str, text: str) -> None:
    assert secrecy.of_file(name, text) is None


def test_a_value_that_is_not_known_yet_is_no_finding() -> None:
    assert secrecy.of_variable("PASSWORD", object()) is None
    assert secrecy.of_file("password", None) is None


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9]{7,30}", fullmatch=True).filter(lambda v: v.lower() not in ("true", "false")))
def test_the_value_itself_is_never_repeated(value: str) -> None:
    why = secrecy.of_variable("DB_PASSWORD", value)
    assert why is not None
    assert value not in why
