"""What ``import zddc`` offers."""

import subprocess
import sys

import pytest

import zddc


def test_the_convention_is_at_hand():
    from zddc import check, format_filename, parse_filename, parse_folder, revision_key

    name = parse_filename("123456-EL-SPC-2623_A (IFR) - Specification For Switchgear.pdf")
    assert (name.tracking_number, name.revision, name.status) == ("123456-EL-SPC-2623", "A", "IFR")
    assert format_filename(name, revision="B").startswith("123456-EL-SPC-2623_B (IFR)")
    assert sorted(["B", "A", "0", "~A"], key=revision_key) == ["~A", "A", "B", "0"]
    assert callable(check)
    assert parse_folder("2025-10-31").reason
    with pytest.raises(AttributeError, match="has no attribute 'pars'"):
        _ = zddc.pars


def test_a_name_stays_what_it_is_whatever_is_imported_later():
    code = "import zddc.cli, zddc.name_check; from zddc import check; print(callable(check))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]
