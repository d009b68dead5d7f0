"""The collector waits inside, whoever else had it wait, and works again where it did before."""

import gc

import pytest

from weakspot.models import garbage_collector


def test_it_waits_inside_and_works_again_behind():
    with garbage_collector.pause():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_works_again_behind_an_error():
    with pytest.raises(KeyError), garbage_collector.pause():
        raise KeyError
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off():
    gc.disable()
    try:
        with garbage_collector.pause(), garbage_collector.pause():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_function_may_have_it_wait_at_every_call():
    is_enabled = garbage_collector.pause()(gc.isenabled)
    assert (is_enabled(), is_enabled(), gc.isenabled()) == (False, False, True)
