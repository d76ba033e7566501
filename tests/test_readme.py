"""What README shows works as it is."""

import re
from pathlib import Path
from typing import Any

README = Path(__file__).parents[1] / "README.md"


def test_the_python_snippets_run_and_give_what_they_say() -> None:
    snippet = "\n".join(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
    names: dict[str, Any] = {}
    said = {}
    for line in snippet.splitlines():
        code, _, comment = line.partition("  # ")
        if code and not code.startswith(("import", "from")) and " = " not in code:
            said[comment] = eval(code, names)
        else:
            exec(line, names)
    shown = {comment: repr(value) for comment, value in said.items()}
    assert shown["array([3.125e-01, 4.480e+02])"] == "array([3.125e-01, 4.480e+02])"
    assert shown["array(688.), its value"] == "array(688.)"
    assert shown["Timing(latency=4, interval=4)"].startswith("Timing(latency=4, interval=4")
    assert shown["7192.40"].startswith("7192.40")
    assert said["its Verilog"].startswith("// bit_serial_lanes_16")
    assert shown["(64,), one code an output"] == "(64,)"
    assert shown["(4, 16), x times w transposed"] == "(4, 16)"
    assert shown["4.25"] == "4.25"
