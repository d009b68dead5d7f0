"""A value is a secret, a placeholder, a name or code: told by what it is made of."""

import random
import string

import pytest

from weakspot.redaction.entropy import is_passphrase, is_password, is_random, is_stand_in


@pytest.mark.parametrize(
    "value",
    [
        *("YOUR_API_KEY", "your-key-here", "<token>", "${TOKEN}", "$TOKEN", "%TOKEN%", "{{ token }}", "[REDACTED]"),
        *("xxxxxxxx", "********", "sk-...", "sk-…", "changeme", "change-me", "REPLACE_ME", "null", "undefined"),
        *("password", "password123", "my-secret-token", "test", "P@ssw0rd!", "AKIAIOSFODNN7EXAMPLE", "<API_KEY_1>"),
    ],
)
def test_a_placeholder_stands_for_a_secret(value):
    assert is_stand_in(value)
    assert not is_random(value)
    assert not is_password(value, quoted=True)


@pytest.mark.parametrize("alphabet", [string.ascii_letters + string.digits, string.hexdigits.lower()])
def test_a_key_of_32_characters_is_random_nearly_always(alphabet):
    chance = random.Random(1)
    keys = ["".join(chance.choices(alphabet, k=32)) for _ in range(1000)]
    assert sum(map(is_random, keys)) >= 990


@pytest.mark.parametrize(
    "value",
    [
        *(
            "getAccessTokenFromAuthorizationHeader",
            "oauth2AccessToken",
            "created_at_in_milliseconds",
            "text-embedding-3",
        ),
        *("how-to-build-a-rate-limiter-2024", "X-Amz-Security-Token", "aB3 dE5 gH7 jK9 mN1", "short1A2b", ""),
    ],
)
def test_words_are_not_random(value):
    assert not is_random(value)


@pytest.mark.parametrize("value", ["hunter2", "Summer2024", "correct!horse", "Tr0ub4dor&3", "aXbYcZdW"])
def test_a_password_has_signs_or_shuffled_letters(value):
    assert is_password(value, quoted=True)


@pytest.mark.parametrize(
    "value", ["abc1!", "string", "correct horse 9", "Passwort", "/run/secrets/db1", "op://prod/db/password", "a" * 201]
)
def test_a_short_one_a_word_a_sentence_and_a_path_are_no_passwords(value):
    assert not is_password(value, quoted=True)


@pytest.mark.parametrize("value", ["input2", "user_password2", "config.password1", "self.pw1", "newPassword"])
def test_without_quotes_a_name_is_no_password(value):
    assert not is_password(value, quoted=False)


def test_a_passphrase_is_three_words_and_more():
    assert is_passphrase("correct-horse-battery")
    assert not is_passphrase("some-name")
    assert not is_passphrase("replace-this-value")
