"""Mappings taken apart and put together, in what other tests of specifications leave out."""

import pytest

from hwsim.decode import joined, load
from hwsim.errors import InputError


def document(tmp_path, text, name="a.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return load(path)


def test_leaves_are_values_by_the_keys_that_lead_to_them(tmp_path):
    leaves = document(tmp_path, "a: 1\nb: {c: [2, 3], d: {e: x}}\nf: {}\n").leaves()
    assert [*leaves] == [("a",), ("b", "c"), ("b", "d", "e"), ("f",)]
    assert [item.integer() for item in leaves["b", "c"].sequence()] == [2, 3]
    assert leaves["b", "d", "e"].written == "x"


def test_values_of_two_files_keep_their_places(tmp_path):
    one = document(tmp_path, "a: {b: 1, c: 2}\n")
    other = document(tmp_path, "\n\na: {c: x}\nd: 3\n", "b.yaml")
    both = joined(other, one.leaves() | other.leaves()).record(("a", "d"))
    entries = both["a"].record(("b", "c"))
    assert (entries["b"].integer(), entries["c"].text(), both["d"].integer()) == (1, "x", 3)
    assert entries["b"].place == f"{tmp_path / 'a.yaml'}:1"
    assert entries["c"].place == f"{tmp_path / 'b.yaml'}:3"
    with pytest.raises(InputError, match=r"b\.yaml:3: c: must be an integer"):
        entries["c"].integer()


def test_of_a_value_and_what_is_below_it_the_later_counts(tmp_path):
    one, other = document(tmp_path, "a: 1\n"), document(tmp_path, "a: {b: 2}\n", "b.yaml")
    assert joined(one, one.leaves() | other.leaves()).record(("a",))["a"].is_mapping
    assert joined(one, other.leaves() | one.leaves()).record(("a",))["a"].integer() == 1


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {b: *a}\n",
        "a: &a {x: 1, y: 2}\n"
        + "".join(
            f"{k}: &{k} {{x: *{j}, y: *{j}}}\n"
            for j, k in zip("abcdefghi", "bcdefghij", strict=True)
        ),
    ],
)
def test_aliases_without_end_are_refused(tmp_path, text):
    with pytest.raises(InputError, match="has more than 1000 values, or more than 20 levels"):
        document(tmp_path, text).leaves()
