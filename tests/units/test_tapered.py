"""What the tapered families take."""

import pytest

from hwsim.errors import InputError
from hwsim.units import make


@pytest.mark.parametrize(
    ("family", "weight", "message"),
    [
        ("hif8", "e4m3", "weight=e4m3: hif8 takes formats such as hif8"),
        ("flint", "dybit4", "weight=dybit4: flint takes formats such as flint4 or flint4u"),
        ("dybit", "int4", "weight=int4: dybit takes formats such as dybit4 or dybit4u"),
    ],
)
def test_bad_formats(family: str, weight: str, message: str) -> None:
    good = {"hif8": "hif8", "flint": "flint4", "dybit": "dybit4"}[family]
    with pytest.raises(InputError) as error:
        make(family, lanes=4, weight=weight, activation=good)
    assert str(error.value) == message
