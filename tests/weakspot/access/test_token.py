"""A token is found or made, kept from others, and shown once."""

import stat

import pytest

from weakspot.access.token import Token, describe_exposure, find_or_make_token, keep_token, token_file
from weakspot.settings import Gateway
from zddc.errors import UserError

OPEN = "0.0.0.0:8787"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize("listen", ["127.0.0.1:8787", "localhost:0", "[::1]:8787"])
def test_loopback_needs_none(listen):
    assert find_or_make_token(Gateway(), listen) is None
    assert describe_exposure(listen, None) == []
    assert not token_file().exists()


@pytest.mark.parametrize("listen", [OPEN, "[::]:8787", "10.0.0.1:8787", "box.lan:8787", ":8787"])
def test_beyond_loopback_one_is_made_and_shown_once(listen):
    made = find_or_make_token(Gateway(), listen)
    assert not token_file().exists()  # it may turn out that the server cannot start
    keep_token(made)
    assert len(made.value) > 40
    assert made.value in " ".join(describe_exposure(listen, made))
    again = find_or_make_token(Gateway(), listen)
    assert again.value == made.value
    assert made.value not in " ".join(describe_exposure(listen, again))
    assert str(token_file()) in " ".join(describe_exposure(listen, again))
    assert "other machines reach it, without encryption" in describe_exposure(listen, again)[0]
    assert stat.S_IMODE(token_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(token_file().parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("listen", [OPEN, "127.0.0.1:8787"])
def test_the_user_s_own_is_taken_from_the_environment(listen, monkeypatch):
    settings = Gateway(token_env="MINE")
    with pytest.raises(UserError, match="MINE is not set where weakspot runs"):
        find_or_make_token(settings, listen)
    monkeypatch.setenv("MINE", "short")
    with pytest.raises(UserError, match="can be guessed"):
        find_or_make_token(settings, listen)
    monkeypatch.setenv("MINE", " long-enough-to-be-no-guess ")
    assert find_or_make_token(settings, listen).value == "long-enough-to-be-no-guess"
    assert not token_file().exists()


def test_a_token_that_others_can_read_is_none():
    keep_token(find_or_make_token(Gateway(), OPEN))
    token_file().chmod(0o644)
    with pytest.raises(UserError, match="others can read the token; chmod 600"):
        find_or_make_token(Gateway(), OPEN)


def test_a_token_is_not_written_through_a_link(tmp_path):
    token_file().parent.mkdir(parents=True)
    token_file().symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="token_env"):
        keep_token(Token("a-new-token-of-the-user", str(token_file()), is_new=True))
    assert not (tmp_path / "elsewhere").exists()
