"""The networks that the project trains: its own small ones, for any power-of-two size, and the published ones.

The small ones suit two CPU cores: the finest level, where most of the time goes, has the fewest channels that its norm
groups allow. DENOISER, GUIDE and JUDGE are those of the shipped SportBalls weights. Sources of the published ones:
Dhariwal and Nichol (2021), appendix H; Kawar et al. (2023), appendix E.
"""

from generation.diffusion.classifiers import ClassifierConfig, CleanConfig
from generation.diffusion.datasets import CLASS_LABELS
from generation.diffusion.networks import UNetConfig

NULL_CLASS = len(CLASS_LABELS)
WIDTH = 32
COARSEST = 8  # Attention sits at this side, in pixels, and classifiers pool there.
# Four channels or more in a group, see blocks.group_norm: at high noise the class shows in the mean colour alone.
GROUPS = 8


def guide_config(image_size: int, classes: int, *, width: int = WIDTH) -> ClassifierConfig:
    """A small classifier of noised images: image_size a power of two from 16 on, width a multiple of 8."""
    return ClassifierConfig(
        image_size=image_size,
        model_channels=width,
        out_channels=classes,
        num_res_blocks=1,
        attention_resolutions=(image_size // COARSEST,),
        channel_mult=_widening(image_size, last=3),
        num_head_channels=width,
        norm_groups=GROUPS,
    )


def denoiser_config(image_size: int, classes: int | None, *, width: int = WIDTH, dropout: float = 0.0) -> UNetConfig:
    """A small noise predictor with learned variance. classes: with the null class, None for no classes at all."""
    return UNetConfig(
        image_size=image_size,
        model_channels=width,
        out_channels=6,
        num_res_blocks=1,
        attention_resolutions=(image_size // COARSEST,),
        channel_mult=_widening(image_size, last=4),
        num_classes=classes,
        num_head_channels=width,
        resblock_updown=False,
        use_new_attention_order=True,
        dropout=dropout,
        norm_groups=GROUPS,
    )


def imagenet_guide_config(image_size: int, classes: int) -> ClassifierConfig:
    """The published classifier of 128 px (width 128, depth 2, attention at 32, 16 and 8 px), also for other sizes."""
    mult = {64: (1, 2, 3, 4), 128: (1, 1, 2, 3, 4), 256: (1, 1, 2, 2, 4, 4)}
    if image_size not in mult:
        raise ValueError(f"The published classifier is for 64, 128 or 256 px, not {image_size}.")
    return ClassifierConfig(
        image_size=image_size,
        model_channels=128,
        out_channels=classes,
        num_res_blocks=2,
        attention_resolutions=tuple(image_size // side for side in (32, 16, 8)),
        channel_mult=mult[image_size],
    )


def cifar_guide_config(classes: int) -> ClassifierConfig:
    """Kawar et al.'s classifier of CIFAR-10: that of ImageNet at 32 px, width 32, attention at 16 and 8 px."""
    return ClassifierConfig(
        image_size=32,
        model_channels=32,
        out_channels=classes,
        num_res_blocks=2,
        attention_resolutions=(2, 4),
        channel_mult=(1, 2, 2, 4),
    )


def cifar_denoiser_config(classes: int | None, *, dropout: float) -> UNetConfig:
    """Kawar et al.'s denoiser of CIFAR-10, after Nichol and Dhariwal: 128 channels, 3 blocks, 4 heads."""
    return UNetConfig(
        image_size=32,
        model_channels=128,
        out_channels=6,
        num_res_blocks=3,
        attention_resolutions=(2, 4),
        channel_mult=(1, 2, 2, 2),
        num_classes=classes,
        num_heads=4,
        resblock_updown=False,
        dropout=dropout,
    )


def _widening(image_size: int, *, last: int) -> tuple[int, ...]:
    """Channel multiples of levels that halve the side down to COARSEST px: ones, then 2, then `last`."""
    levels = (image_size // COARSEST).bit_length()
    return (*(1,) * max(levels - 2, 0), 2, last)[-levels:]


DENOISER = denoiser_config(64, len(CLASS_LABELS) + 1)
GUIDE = guide_config(64, len(CLASS_LABELS))
JUDGE = CleanConfig(image_size=64, out_channels=len(CLASS_LABELS))
