"""Accelerators in closed form: what a layer asks of an array, and what an array makes of it.

A network is matrix products: every linear layer is one, attention is two for each group of heads,
a convolution is one whose rows are positions. :mod:`hwsim.accelerator.models` reads the sizes of
a network from its configuration, :mod:`hwsim.accelerator.workload` turns them into products
(:class:`~hwsim.accelerator.workload.Gemm`), and :mod:`hwsim.accelerator.layer_formats` says in
which format the operands of each are stored.

A product multiplies activations [m, k] with a second operand [k, n]. Weights are shared by all
tokens, so many tokens at a time (prefill) read them once for much work; one token at a time
(decode) reads all of them for m = 1. Keys and values belong to one sequence: a batch shares the
weights and not these. That is why both phases, and both kinds of operands, are told apart here.

An accelerator is an array of units and the memories that feed it.
:mod:`hwsim.accelerator.cycles` counts what the array takes for a product,
:mod:`hwsim.accelerator.traffic` what memories move for it, and
:mod:`hwsim.accelerator.simulation` lets both overlap. Nothing here knows what hardware costs:
energy and area are in :mod:`cost_models.accelerator`.
"""
