"""From a network and a phase to the matrix products that have to be computed.

``prefill`` takes S tokens of every sequence of a batch at once, ``decode`` one after another, each
of which attends to all tokens before it and to itself. Networks that do not predict tokens have one
phase, ``forward``. Of each layer:

- linear layers multiply the tokens of the whole batch with one matrix;
- heads that share keys and values (grouped-query attention) are rows of one product: their queries
  meet the same keys, so m is heads per group times tokens. Products of different sequences and
  groups have operands of their own, so they count, and do not add rows;
- attention is the whole square, masked or not: an array computes what a causal mask hides, too;
- experts share the work evenly, which is an assumption: T tokens that each go through A of E
  experts are T*A rows, dealt to min(E, T*A) experts one after another, so some have one row more
  than others and their sum is exact. A router with favourites loads some more, and wakes fewer;
- a convolution has a row for every position of the output, and the inputs under the kernel as its
  inner dimension (im2col). In memory its input is smaller than that, by the overlap of kernels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Literal

from hwsim.accelerator.models import (
    LARGEST_POSITION,
    Convolution,
    ConvolutionalNetwork,
    Model,
    Transformer,
    load_model,
)
from hwsim.errors import InputError, check_known
from hwsim.numbers import whole

PREFILL, DECODE, FORWARD = "prefill", "decode", "forward"
#: What a language-model head works on in prefill: the last token of a sequence, or each of them.
LM_HEAD_TOKENS = ("last", "all")
#: Groups of products, in the order of tables.
GROUPS = (
    "convolutions",
    "attention_projections",
    "attention_scores",
    "attention_values",
    "mlp",
    "router",
    "experts",
    "pooler",
    "classifier",
    "lm_head",
)
#: Stands for the number of the layer in names.
ANY_LAYER = "*"
#: So many multiplications are exact in int64.
LARGEST_MACS = (1 << 63) - 1

Source = Literal["weights", "keys", "values"]


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """Equal matrix products: activations [m, k] times a second operand [k, n], ``count`` times.

    Attributes
    ----------
    name
        Such as ``layers.*.q_proj``, where ``*`` stands for each of ``layers``. Products of one name
        may have several shapes: attention at several lengths, experts with more and fewer tokens.
    group
        One of ``GROUPS``.
    m, n, k
        Rows of activations, outputs, and the inner dimension.
    count
        How often, with other operands each time: layers, tokens after one another, and where the
        second operand is of a sequence or an expert, these.
    stationary
        What the second operand is. Weights are the same for all tokens and for every decoded one.
    result
        What the outputs are stored as: ``keys`` and ``values`` go to the cache.
    input_elements
        Elements of the activations in memory, of one product; m * k unless it says otherwise.
    layers
        The layers it is in, ``count`` divided evenly among them; empty outside of layers.
    """

    name: str
    group: str
    m: int
    n: int
    k: int
    count: int = 1
    stationary: Source = "weights"
    result: Literal["activations", "keys", "values"] = "activations"
    input_elements: int = 0
    layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.input_elements:
            object.__setattr__(self, "input_elements", self.m * self.k)

    @property
    def stationary_elements(self) -> int:
        """Elements of the second operand, of one product."""
        return self.n * self.k

    @property
    def output_elements(self) -> int:
        """Elements of the results, of one product."""
        return self.m * self.n

    @property
    def macs(self) -> int:
        """Multiplications of all ``count`` products."""
        return self.m * self.n * self.k * self.count

    @property
    def names(self) -> tuple[str, ...]:
        """The name in every layer, ``layers.0.q_proj`` and so on; outside of layers the name."""
        if not self.layers:
            return (self.name,)
        return tuple(self.name.replace(ANY_LAYER, str(layer), 1) for layer in self.layers)

    def in_layers(self, layers: Sequence[int]) -> "Gemm":
        """Return the products in some of the layers."""
        each = self.count // len(self.layers)
        return replace(self, layers=tuple(layers), count=each * len(layers))


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The matrix products of a network in one phase.

    Attributes
    ----------
    model
        The network.
    phase
        ``prefill``, ``decode`` or ``forward``.
    batch
        Sequences or images.
    tokens
        Tokens of every sequence that are taken or made; for an image, None.
    context
        Tokens that the first decoded one attends to, itself included; None in other phases.
    gemms
        In the order of the network.
    """

    model: Model
    phase: str
    batch: int
    tokens: int | None
    context: int | None
    gemms: tuple[Gemm, ...]

    @property
    def macs(self) -> int:
        """Multiplications of all products."""
        return sum(gemm.macs for gemm in self.gemms)

    @property
    def items(self) -> int:
        """Tokens of all sequences, or images."""
        return self.batch * (1 if self.tokens is None else self.tokens)


def workload(
    model: Model | str | PathLike[str],
    phase: str,
    *,
    tokens: int | None = None,
    context: int | None = None,
    batch: int = 1,
    lm_head: str = "last",
) -> Workload:
    """Return the matrix products of a network in one phase.

    Parameters
    ----------
    model
        A network, the name of one that comes with the package, or a path; see
        :func:`hwsim.accelerator.models.load_model`.
    phase
        ``prefill`` or ``decode`` of a decoder, ``forward`` of everything else.
    tokens
        Tokens of every sequence: those of the prompt in ``prefill`` and ``forward``, those made in
        ``decode``, 1 unless given. An image says itself how many there are.
    context
        Of ``decode``: tokens that the first one attends to, itself included. Of the ones after it
        each attends to one more, up to ``context + tokens - 1``.
    batch
        Sequences or images.
    lm_head
        Of ``prefill``: whether a decoder's head works on the ``last`` token of every sequence,
        which is all that the next one needs, or on ``all``.

    Raises
    ------
    InputError
        For what is missing, not allowed or out of range, a phase that the network does not have,
        more tokens than it has positions, and attention beyond a sliding window, which is not
        modelled.
    """
    if not isinstance(model, Transformer | ConvolutionalNetwork):
        model = load_model(model)
    causal = isinstance(model, Transformer) and model.causal
    check_known(f"phase of {model.name}", phase, (PREFILL, DECODE) if causal else (FORWARD,))
    check_known("lm_head", lm_head, LM_HEAD_TOKENS)
    if phase != PREFILL and lm_head != "last":
        raise InputError(f"lm_head={lm_head!r}: allowed in {phase}: last")
    batch = whole("batch", batch, 1, LARGEST_POSITION)
    context = _context(phase, context)
    if isinstance(model, ConvolutionalNetwork):
        _no_tokens(model, tokens)
        gemms = list(_convolutional(model, batch))
    else:
        tokens, gemms = _transformer(model, phase, tokens, context, batch, lm_head)
    work = Workload(
        model=model, phase=phase, batch=batch, tokens=tokens, context=context, gemms=tuple(gemms)
    )
    if work.macs > LARGEST_MACS:
        raise InputError(
            f"batch={batch}, tokens={tokens}: {work.macs:.2g} multiplications; allowed: up to 2^63"
        )
    return work


def convolution(conv: Convolution, batch: int = 1) -> Gemm:
    """Return a convolution of ``batch`` images as products, one for each of its groups."""
    rows = conv.output_height * conv.output_width * batch
    channels = conv.in_channels // conv.groups
    return Gemm(
        name=conv.name,
        group="convolutions",
        m=rows,
        n=conv.out_channels // conv.groups,
        k=channels * conv.kernel_size**2,
        count=conv.groups,
        input_elements=conv.reached * channels * batch,
    )


def _context(phase: str, context: int | None) -> int | None:
    if phase == DECODE:
        return _given("context", context, phase)
    if context is not None:
        raise InputError(f"context={context!r}: allowed in decode only, not in {phase}")
    return None


def _given(parameter: str, value: int | None, phase: str) -> int:
    """Return a number that a phase does not go without."""
    if value is None:
        raise InputError(f"{parameter}=None: {phase} needs {parameter}, a whole number from 1")
    return whole(parameter, value, 1, LARGEST_POSITION)


def _no_tokens(model: Model, tokens: int | None) -> None:
    if tokens is not None:
        raise InputError(f"tokens={tokens!r}: the images of {model.name} say how many there are")


def _convolutional(model: ConvolutionalNetwork, batch: int) -> Iterator[Gemm]:
    for conv in model.convolutions:
        yield convolution(conv, batch)
    if model.num_labels:
        features = model.convolutions[-1].out_channels
        yield _single("classifier", batch, model.num_labels, features)


def _transformer(
    model: Transformer,
    phase: str,
    tokens: int | None,
    context: int | None,
    batch: int,
    lm_head: str,
) -> tuple[int | None, list[Gemm]]:
    """Return the tokens of every sequence, None for images, and the products."""
    if model.patches is not None:
        _no_tokens(model, tokens)
        patches = convolution(model.patches, batch)
        # One token more stands for the class.
        length = patches.m // batch + 1
        shapes = _layers(model, batch * length, length, [length], batch)
        last = [_single("classifier", batch, model.num_labels, model.hidden_size)]
        return None, [patches, *shapes, *(last if model.num_labels else [])]
    if context is not None:
        steps = whole("tokens", 1 if tokens is None else tokens, 1, LARGEST_POSITION)
        _check_length(model, "context + tokens - 1", context + steps - 1)
        lengths = range(context, context + steps)
        shapes = _layers(model, batch, 1, lengths, batch)
        head = _single("lm_head", batch, model.vocab_size, model.hidden_size, steps)
        return steps, [*shapes, head]
    length = _given("tokens", tokens, phase)
    _check_length(model, "tokens", length)
    shapes = _layers(model, batch * length, length, [length], batch)
    if phase == FORWARD:
        last = [_single("pooler", batch, model.hidden_size, model.hidden_size)]
    else:
        rows = batch * length if lm_head == "all" else batch
        last = [_single("lm_head", rows, model.vocab_size, model.hidden_size)]
    return length, [*shapes, *last]


def _check_length(model: Transformer, what: str, length: int) -> None:
    most = model.max_position_embeddings
    if most is not None and length > most:
        raise InputError(f"{what}={length}: {model.name} has max_position_embeddings={most}")
    if model.sliding_window is not None and length > model.sliding_window:
        raise InputError(
            f"{what}={length}: {model.name} has sliding_window={model.sliding_window}, and "
            "attention beyond it is not modelled"
        )


def _single(name: str, m: int, n: int, k: int, count: int = 1) -> Gemm:
    """Return a product outside of layers, which is a group of its own."""
    return Gemm(name=name, group=name, m=m, n=n, k=k, count=count)


def _layers(
    model: Transformer, rows: int, queries: int, lengths: Sequence[int], batch: int
) -> Iterator[Gemm]:
    """Yield the products in layers.

    ``rows`` tokens of the batch go through linear layers at a time, once for every one of
    ``lengths``, the tokens that ``queries`` of a sequence attend to.
    """
    layers = tuple(range(model.num_hidden_layers))
    hidden, head = model.hidden_size, model.head_dim
    steps = len(layers) * len(lengths)

    def linear(name: str, n: int, k: int, result: Literal["activations", "keys", "values"]) -> Gemm:
        return Gemm(
            name=f"layers.*.{name}", group="attention_projections", m=rows, n=n, k=k, count=steps,
            result=result, layers=layers,
        )  # fmt: skip

    yield linear("q_proj", model.num_attention_heads * head, hidden, "activations")
    yield linear("k_proj", model.num_key_value_heads * head, hidden, "keys")
    yield linear("v_proj", model.num_key_value_heads * head, hidden, "values")
    shared = model.num_attention_heads // model.num_key_value_heads
    times = len(layers) * batch * model.num_key_value_heads
    for length in lengths:
        yield Gemm(
            name="layers.*.qk", group="attention_scores", m=shared * queries, n=length, k=head,
            count=times, stationary="keys", layers=layers,
        )  # fmt: skip
    for length in lengths:
        yield Gemm(
            name="layers.*.av", group="attention_values", m=shared * queries, n=head, k=length,
            count=times, stationary="values", layers=layers,
        )  # fmt: skip
    yield linear("o_proj", hidden, model.num_attention_heads * head, "activations")
    yield from _feed_forward(model, rows, layers, steps)


def _feed_forward(
    model: Transformer, rows: int, layers: tuple[int, ...], steps: int
) -> Iterator[Gemm]:
    hidden, middle = model.hidden_size, model.intermediate_size
    into = ("gate_proj", "up_proj") if model.gated else ("up_proj",)
    sizes = [*((name, middle, hidden) for name in into), ("down_proj", hidden, middle)]
    if not model.num_local_experts:
        for name, n, k in sizes:
            yield Gemm(
                name=f"layers.*.{name}", group="mlp", m=rows, n=n, k=k, count=steps, layers=layers
            )
        return
    yield Gemm(
        name="layers.*.router", group="router", m=rows, n=model.num_local_experts, k=hidden,
        count=steps, layers=layers,
    )  # fmt: skip
    for name, n, k in sizes:
        for m, experts in dealt(rows, model.num_experts_per_tok, model.num_local_experts):
            yield Gemm(
                name=f"layers.*.experts.{name}", group="experts", m=m, n=n, k=k,
                count=steps * experts, layers=layers,
            )  # fmt: skip


def dealt(tokens: int, chosen: int, experts: int) -> list[tuple[int, int]]:
    """Return how many tokens how many experts get, if each token goes through ``chosen`` of them.

    Evenly: numbers of tokens differ by one at most, experts without tokens are left out, and the
    sum is ``tokens * chosen``.
    """
    fewer, more = divmod(tokens * chosen, experts)
    return [(m, count) for m, count in ((fewer + 1, more), (fewer, experts - more)) if m and count]
