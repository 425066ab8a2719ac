"""The layers of which the ADM networks are built, under their published parameter names.

Source: Dhariwal and Nichol, "Diffusion models beat GANs on image synthesis" (2021), appendix; Nichol and Dhariwal,
"Improved denoising diffusion probabilistic models" (2021). Shapes: N images, C channels, H x W pixels, L = H * W.
The module attribute names are part of the file format: a published state dict loads with strict=True.
"""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_M = TypeVar("_M", bound=nn.Module)


def timestep_embedding(t: Tensor, width: int) -> Tensor:
    """Embed timesteps t [N] as cosines, then sines, of geometrically spaced frequencies: float32 [N, width]."""
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=t.device) / half
    angles = t[:, None].float() * torch.exp(-math.log(10_000) * exponents)[None]
    return torch.cat([angles.cos(), angles.sin()], dim=1)


PUBLISHED_GROUPS = 32


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """A group norm, the only normalisation of these networks; the published ones have 32 groups.

    A group of a single channel loses that channel's mean, so a narrow network needs fewer groups: else it can't tell
    the brightness of its input, and paints the whole canvas in a wrong colour.
    """
    return nn.GroupNorm(groups, channels)


def conv3(channels: int, out_channels: int, *, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size (or halves it, at stride 2)."""
    return nn.Conv2d(channels, out_channels, 3, stride=stride, padding=1)


def zeroed(module: _M) -> _M:
    """Set a module's parameters to zero, so that its residual branch starts as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class Resample(nn.Module):
    """Halve the size by averaging, double it by repeating pixels, or keep it (factor 1); has no parameters."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """x: [N, C, H, W] -> [N, C, factor H, factor W]."""
        if self.factor == 1:
            return x
        if self.factor < 1:
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=self.factor, mode="nearest")


class Downsample(nn.Module):
    """Halve the size with a strided convolution (the CIFAR-10 models)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = conv3(channels, channels, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """x: [N, C, H, W] -> [N, C, H/2, W/2]."""
        return self.op(x)  # type: ignore[no-any-return]  # nn.Module calls are untyped


class Upsample(nn.Module):
    """Double the size by repeating pixels, then convolve (the CIFAR-10 models)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """x: [N, C, H, W] -> [N, C, 2H, 2W]."""
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))  # type: ignore[no-any-return]  # as above


class ResBlock(nn.Module):
    """Two normalised convolutions with the time embedding between them, added to a skip connection."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        *,
        embedding_width: int,
        scale_shift: bool,
        dropout: float,
        groups: int = PUBLISHED_GROUPS,
        resample: float = 1,
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.resample = Resample(resample)
        self.in_layers = nn.Sequential(group_norm(channels, groups), nn.SiLU(), conv3(channels, out_channels))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding_width, (1 + scale_shift) * out_channels))
        self.out_layers = nn.Sequential(
            group_norm(out_channels, groups),
            nn.SiLU(),
            nn.Dropout(dropout),
            zeroed(conv3(out_channels, out_channels)),
        )
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x: [N, C, H, W], embedding: [N, E] -> [N, C', H', W']."""
        norm, activation, conv = self.in_layers
        h = conv(self.resample(activation(norm(x))))
        # Embeddings stay in float32 where the images are in half precision.
        condition = self.emb_layers(embedding)[:, :, None, None].to(h.dtype)
        norm, *rest = self.out_layers
        if self.scale_shift:
            scale, shift = condition.chunk(2, dim=1)
            h = norm(h) * (1 + scale) + shift
        else:
            h = norm(h + condition)
        for layer in rest:
            h = layer(h)
        added: Tensor = self.skip_connection(self.resample(x)) + h
        return added


def attend(qkv: Tensor, heads: int, *, new_order: bool) -> Tensor:
    """Self-attention of packed queries, keys and values: [N, L, 3C] -> [N, L, C].

    new_order: channels are [q,k,v][head][c]; the legacy order is [head][q,k,v][c].
    """
    n, length, packed = qkv.shape
    width = packed // (3 * heads)
    if new_order:
        q, k, v = qkv.view(n, length, 3, heads, width).permute(2, 0, 3, 1, 4)
    else:
        q, k, v = qkv.view(n, length, heads, 3, width).permute(3, 0, 2, 1, 4)
    attended = F.scaled_dot_product_attention(q, k, v)
    return attended.transpose(1, 2).reshape(n, length, heads * width)


def pointwise(x: Tensor, layer: nn.Conv1d) -> Tensor:
    """Apply a width-1 convolution to rows: [N, L, C] -> [N, L, C']. Published weights are [C', C, 1]."""
    return F.linear(x, layer.weight.squeeze(-1), layer.bias)


class AttentionBlock(nn.Module):
    """Self-attention between all pixels, added to its input."""

    def __init__(self, channels: int, *, heads: int, new_order: bool, groups: int = PUBLISHED_GROUPS) -> None:
        super().__init__()
        self.heads = heads
        self.new_order = new_order
        self.norm = group_norm(channels, groups)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x: [N, C, H, W] -> the same shape."""
        n, channels, height, width = x.shape
        rows = self.norm(x).permute(0, 2, 3, 1).reshape(n, height * width, channels)
        attended = attend(pointwise(rows, self.qkv), self.heads, new_order=self.new_order)
        projected = pointwise(attended, self.proj_out).view(n, height, width, channels)
        attended_x: Tensor = x + projected.permute(0, 3, 1, 2)
        return attended_x


class AttentionPool(nn.Module):
    """Pool an image to one vector: the output of a mean token that attends to every pixel."""

    def __init__(self, side: int, channels: int, *, head_channels: int, out_channels: int) -> None:
        super().__init__()
        self.heads = channels // head_channels
        scale = channels**-0.5
        self.positional_embedding = nn.Parameter(torch.randn(channels, side**2 + 1) * scale)
        self.qkv_proj = nn.Conv1d(channels, 3 * channels, 1)
        self.c_proj = nn.Conv1d(channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: [N, C, side, side] -> [N, out_channels]."""
        pixels = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([pixels.mean(dim=1, keepdim=True), pixels], dim=1)
        tokens = tokens + self.positional_embedding.t().to(tokens.dtype)
        attended = attend(pointwise(tokens, self.qkv_proj), self.heads, new_order=True)
        return pointwise(attended, self.c_proj)[:, 0]


class Stage(nn.ModuleList):
    """Layers in a row, of which the residual blocks also get the time embedding."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(layers)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x: [N, C, H, W], embedding: [N, E] -> [N, C', H', W']."""
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, ResBlock) else layer(x)
        return x
