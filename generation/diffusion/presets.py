"""The networks that the project trains itself, on SportBalls at 64 px.

Small enough for two CPU cores: the 64 px level, where most of the time goes, has the fewest channels that 32 norm
groups allow.
"""

from generation.diffusion.classifiers import ClassifierConfig, CleanConfig
from generation.diffusion.datasets import CLASS_LABELS
from generation.diffusion.networks import UNetConfig

NULL_CLASS = len(CLASS_LABELS)

DENOISER = UNetConfig(
    image_size=64,
    model_channels=32,
    out_channels=6,
    num_res_blocks=1,
    attention_resolutions=(8,),
    channel_mult=(1, 1, 2, 4),
    num_classes=len(CLASS_LABELS) + 1,
    num_head_channels=32,
    resblock_updown=False,
    use_new_attention_order=True,
    # Four channels or more in a group, see blocks.group_norm.
    norm_groups=8,
)

GUIDE = ClassifierConfig(
    image_size=64,
    model_channels=32,
    out_channels=len(CLASS_LABELS),
    num_res_blocks=1,
    attention_resolutions=(8,),
    channel_mult=(1, 1, 2, 3),
    num_head_channels=32,
    # At high noise the class shows in the mean colour alone.
    norm_groups=8,
)

JUDGE = CleanConfig(image_size=64, out_channels=len(CLASS_LABELS))
