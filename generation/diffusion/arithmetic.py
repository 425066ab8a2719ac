"""Arithmetic: in what precision a batch's networks compute, and whether they are compiled. Free of torch.

Both change pixels a little, so they belong to a batch, the same for all of its arms.
"""

from dataclasses import dataclass
from enum import StrEnum


class Precision(StrEnum):
    """What a network's convolutions and attention compute in."""

    FLOAT32 = "float32"
    """The exact path; no TF32."""
    BFLOAT16 = "bfloat16"
    """Weights and activations; embeddings, heads, and all that a sampler does itself stay in float32."""


class CompileMode(StrEnum):
    """A mode of torch.compile."""

    NONE = ""
    DEFAULT = "default"
    REDUCE_OVERHEAD = "reduce-overhead"
    """Kernels are recorded once and replayed as a CUDA graph."""


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How a batch's networks are run. The default is exact and not compiled."""

    precision: Precision = Precision.FLOAT32
    compile_mode: CompileMode = CompileMode.NONE
