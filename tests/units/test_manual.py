import re

import pytest

from hwsim.cli import main
from hwsim.errors import InputError
from hwsim.units import FAMILIES
from hwsim.units.manual import parameters, summary


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_says_what_it_is(family):
    assert summary(family)
    for parameter in parameters(family):
        assert parameter.meaning, parameter
        assert "`" not in parameter.meaning
        assert ":class:" not in parameter.meaning
        assert parameter.type in ("whole number", "format", "text", "choice")


def test_references_are_followed_to_another_class():
    found = {parameter.name: parameter for parameter in parameters("bit_serial")}
    assert found["lanes"].meaning.startswith("Products per beat, 1 to 1024.")
    assert found["accumulator_bits"].meaning.startswith("Width of the two's complement")
    assert found["recoding"].choices == ("binary", "booth")
    assert (found["recoding"].default, found["recoding"].required) == ("binary", False)
    assert (found["weight"].type, found["weight"].required) == ("format", True)


def test_choices_documented_in_their_class_are_read_there():
    found = {parameter.name: parameter for parameter in parameters("float")}
    assert "flush: they are zeros of the same sign" in found["subnormals"].meaning


def test_unknown_families_get_the_nearest():
    with pytest.raises(InputError, match="did you mean 'integer'"):
        parameters("intger")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_of_a_family_repeats_no_sentence(family, capsys):
    """Parameters that mean the same are listed together; two may have a sentence in common."""
    assert main(["units", family]) == 0
    listed = capsys.readouterr().out.partition("\n\n")[2].partition("\n\nFor example:")[0]
    for parameter in parameters(family):
        assert re.search(rf"^  {parameter.name}: ", listed, re.MULTILINE)
    said = re.sub(r"^  \S.*$", "\n", listed, flags=re.MULTILINE)
    sentences = [" ".join(one.split()) for one in re.split(r"(?<=[.])\s+|\n\n", said)]
    assert not {one for one in sentences if one and sentences.count(one) > 2}


def test_what_all_parameters_of_a_family_have_in_common_is_said_once(capsys):
    for family, said in (("mx_dot", "Blocks of MX 1.0"), ("nvfp4_dot", "Blocks of NVFP4")):
        assert main(["units", family]) == 0
        assert " ".join(capsys.readouterr().out.split()).count(said) == 1
