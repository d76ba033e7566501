"""What the compiled loops need and numba has not: floats as bits, and the fused multiply-add.

A multiply-add rounded once gives the error of a product, and the remainder of a quotient, exactly.
Numba compiles it to one instruction, or to a call of the C library on processors without one.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

MAGNITUDE = np.int32(0x7FFFFFFF)
INFINITY = np.int32(0x7F800000)


def _reinterpreted(source: types.Type, target: types.Type) -> Any:
    @intrinsic
    def reinterpret(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(target))

        return target(source), generate

    return reinterpret


#: float32 as int32 and back, float64 as int64 and back.
bits32 = _reinterpreted(types.float32, types.int32)
float32 = _reinterpreted(types.int32, types.float32)
bits64 = _reinterpreted(types.float64, types.int64)
float64 = _reinterpreted(types.int64, types.float64)


def _fused(kind: types.Type) -> Any:
    @intrinsic
    def fused(typing_context: Any, x: Any, y: Any, addend: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.fma(*arguments)

        return kind(kind, kind, kind), generate

    return fused


#: ``x * y + addend``, rounded once.
fma32 = _fused(types.float32)
fma64 = _fused(types.float64)
