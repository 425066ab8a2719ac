"""Denoisers in the format of diffusers: tiny folders, written by the library itself."""

import json
import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from generation.diffusion.checkpoints import inspect_checkpoint, load_classifier, load_denoiser, space_of
from generation.diffusion.facts import (
    Architecture,
    CheckpointFacts,
    CheckpointMismatch,
    MissingExtra,
    Options,
    RefusedCheckpoint,
    UnreadableCheckpoint,
    UntoldFacts,
)
from generation.diffusion.hub_networks import HubDenoiser
from generation.diffusion.noise import SeededNoise
from generation.diffusion.process import Diffusion
from generation.diffusion.sampling import Model, ddpm

UNET: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": (8, 8),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D"),
    "add_attention": False,
}
DIT: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 4,
    "in_channels": 4,
    "out_channels": 8,
    "num_layers": 1,
    "sample_size": 4,
    "patch_size": 2,
    "num_embeds_ada_norm": 5,
    "attention_bias": True,
}
VAE: dict[str, Any] = {
    "block_out_channels": (4, 4),
    "down_block_types": ("DownEncoderBlock2D", "DownEncoderBlock2D"),
    "up_block_types": ("UpDecoderBlock2D", "UpDecoderBlock2D"),
    "latent_channels": 4,
    "norm_num_groups": 2,
    "sample_size": 8,
    "scaling_factor": 0.5,
}


def randomised(network: nn.Module, seed: int = 0) -> Any:
    """The network with random numbers everywhere: libraries begin with zeros in places."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        spread = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.2
        parameter.data = torch.randn(parameter.shape, generator=generator) * spread
    return network


def write_unet(folder: Path, *, scheduler: Any = None, **changes: Any) -> Path:
    """A UNet2DModel with its scheduler's file beside it, as pipelines of pixels are."""
    randomised(diffusers.UNet2DModel(**{**UNET, **changes})).save_pretrained(folder)
    (scheduler or diffusers.DDPMScheduler()).save_config(folder / "scheduler")
    return folder


def write_dit(folder: Path, **changes: Any) -> Path:
    """A DiT pipeline: transformer, autoencoder, scheduler and labels."""
    randomised(diffusers.DiTTransformer2DModel(**{**DIT, **changes})).save_pretrained(folder / "transformer")
    randomised(diffusers.AutoencoderKL(**VAE), 1).save_pretrained(folder / "vae")
    diffusers.DDIMScheduler(clip_sample=False).save_config(folder / "scheduler")
    labels = {str(index): f"thing {index}" for index in range(5)}
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "DiTPipeline", "id2label": labels}))
    return folder


def loaded(folder: Path, options: Options | None = None) -> tuple[CheckpointFacts, HubDenoiser]:
    facts = inspect_checkpoint(folder, options)
    denoiser = load_denoiser(folder, facts)
    assert isinstance(denoiser, HubDenoiser)
    return facts, denoiser


def inputs(channels: int = 3, size: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(3, channels, size, size, generator=generator), torch.tensor([0, 400, 999])


def raw(folder: Path, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
    """What the network itself says, without ours around it."""
    network = diffusers.UNet2DModel.from_pretrained(folder).eval()
    with torch.no_grad():
        out: Tensor = network(x, t, class_labels=y).sample
    return out


def alpha_bar(scheduler: Any, t: Tensor) -> Tensor:
    """The library's own table: float64 [N, 1, 1, 1]."""
    table: Tensor = scheduler.alphas_cumprod.double()
    return table[t][:, None, None, None]


def test_an_unconditional_unet_predicts_what_the_library_does(tmp_path: Path) -> None:
    folder = write_unet(tmp_path / "ddpm")
    facts, denoiser = loaded(folder)
    assert (facts.architecture, facts.extra, facts.image_size) == (Architecture.DIFFUSERS_UNET, "diffusers", 8)
    assert (facts.takes_labels, facts.class_labels, facts.null_class) == (False, (), None)
    assert (facts.schedule, facts.timesteps) == ("linear", 1000)
    x, t = inputs()
    assert torch.equal(denoiser(x, t), raw(folder, x, t))
    assert not any(parameter.requires_grad for parameter in denoiser.parameters())
    assert (space_of(denoiser).shape, space_of(denoiser).clipped) == ((3, 8, 8), True)


def test_a_class_conditional_unet_takes_labels_and_may_have_a_null_class(tmp_path: Path) -> None:
    folder = write_unet(tmp_path / "classes", num_class_embeds=4)
    facts, denoiser = loaded(folder)
    assert (facts.takes_labels, facts.class_labels[3], facts.null_class) == (True, "class 3", None)
    (x, t), y = inputs(), torch.tensor([0, 3, 1])
    assert torch.equal(denoiser(x, t, y), raw(folder, x, t, y))
    with_null, _ = loaded(folder, Options(class_labels=("a", "b", "c")))
    assert (with_null.class_labels, with_null.null_class) == (("a", "b", "c"), 3)


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
def test_v_and_x_0_become_the_noise_that_they_imply(tmp_path: Path, kind: str) -> None:
    scheduler = diffusers.DDPMScheduler(prediction_type=kind, beta_schedule="squaredcos_cap_v2")
    folder = write_unet(tmp_path / kind, scheduler=scheduler)
    facts, denoiser = loaded(folder)
    assert facts.schedule == "cosine"
    x, t = inputs()
    t = torch.tensor([1, 400, 900])
    abar, out = alpha_bar(scheduler, t), raw(folder, x, t).double()
    x_0 = out if kind == "sample" else abar.sqrt() * x.double() - (1 - abar).sqrt() * out
    eps = (x.double() - abar.sqrt() * x_0) / (1 - abar).sqrt()
    assert torch.allclose(denoiser(x, t).double(), eps, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("scheduler", "schedule"),
    [
        (diffusers.DDPMScheduler(beta_start=0.001, beta_end=0.01), "linear:0.001:0.01"),
        (diffusers.DDIMScheduler(num_train_timesteps=500), "linear:0.0001:0.02"),
        (
            diffusers.DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
            "scaled_linear:0.00085:0.012",
        ),
        (diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"), "cosine"),
    ],
)
def test_a_schedulers_betas_are_ours(tmp_path: Path, scheduler: Any, schedule: str) -> None:
    facts = inspect_checkpoint(write_unet(tmp_path / "betas", scheduler=scheduler))
    assert facts.schedule == schedule
    ours = Diffusion.make(facts.schedule, facts.timesteps).alpha_bar
    assert np.allclose(ours, scheduler.alphas_cumprod.double().numpy(), rtol=1e-4)


def test_an_unet_in_a_pipelines_folder_and_one_with_a_learned_variance_are_read(tmp_path: Path) -> None:
    randomised(diffusers.UNet2DModel(**{**UNET, "out_channels": 6})).save_pretrained(tmp_path / "unet")
    diffusers.DDPMScheduler(clip_sample=False, variance_type="learned_range").save_config(tmp_path / "scheduler")
    _, denoiser = loaded(tmp_path)
    x, t = inputs()
    assert denoiser(x, t).shape == (3, 6, 8, 8)
    assert not space_of(denoiser).clipped


def edm_by_hand(folder: Path, x_t: Tensor, t: Tensor, *, schedule: str, sigma_data: float, sign: int) -> Tensor:
    """Karras et al. (2022), table 1 and eq. 7, in float64, and eps from the denoised image."""
    betas = np.linspace(*map(float, schedule.split(":")[1:]), 1000)
    abar = torch.from_numpy(np.cumprod(1 - betas))[t][:, None, None, None]
    sigma = ((1 - abar) / abar).sqrt()
    x = x_t.double() / abar.sqrt()
    c_skip = sigma_data**2 / (sigma**2 + sigma_data**2)
    c_out = sign * sigma * sigma_data / (sigma**2 + sigma_data**2).sqrt()
    c_in = 1 / (sigma**2 + sigma_data**2).sqrt()
    network = diffusers.UNet2DModel.from_pretrained(folder).double().eval()
    with torch.no_grad():
        f = network(c_in * x, 0.25 * sigma.log().flatten()).sample
    eps: Tensor = (x - (c_skip * x + c_out * f)) / sigma
    return eps


@pytest.mark.parametrize(("kind", "sign"), [("epsilon", 1), ("v_prediction", -1)])
def test_an_edm_network_predicts_noise_on_our_chain(tmp_path: Path, kind: str, sign: int) -> None:
    scheduler = diffusers.EDMEulerScheduler(sigma_data=0.6, prediction_type=kind)
    folder = write_unet(tmp_path / "edm", scheduler=scheduler)
    facts, denoiser = loaded(folder)
    assert facts.architecture is Architecture.EDM_UNET
    x, t = inputs()
    by_hand = edm_by_hand(folder, x, t, schedule=facts.schedule, sigma_data=0.6, sign=sign)
    assert torch.allclose(denoiser(x, t).double(), by_hand, rtol=1e-4, atol=1e-4)


def test_an_edm_networks_chain_ends_at_the_noise_that_it_was_trained_to(tmp_path: Path) -> None:
    scheduler = diffusers.EDMDPMSolverMultistepScheduler(sigma_max=40.0)
    facts = inspect_checkpoint(write_unet(tmp_path / "edm", scheduler=scheduler))
    last = Diffusion.make(facts.schedule, facts.timesteps).alpha_bar[-1]
    assert math.sqrt((1 - last) / last) == pytest.approx(40, rel=1e-3)
    told = inspect_checkpoint(tmp_path / "edm", Options(schedule="linear"))
    assert told.schedule == "linear"


def test_a_dit_denoises_latents_and_decodes_images(tmp_path: Path) -> None:
    folder = write_dit(tmp_path / "dit")
    facts, denoiser = loaded(folder)
    assert (facts.architecture, facts.image_size, facts.details["latent"]) == (Architecture.DIT, 8, True)
    assert (facts.class_labels[4], facts.null_class, facts.takes_labels) == ("thing 4", 5, True)
    space = space_of(denoiser)
    assert (space.shape, space.clipped) == ((4, 4, 4), False)
    latents, t = inputs(4, 4)
    y = torch.tensor([0, 4, 5])
    network = diffusers.DiTTransformer2DModel.from_pretrained(folder / "transformer").eval()
    # Arithmetic on the CPU depends on whether weights want a gradient, in the last bit.
    vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae").eval().requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(denoiser(latents, t, y), network(latents, t, class_labels=y).sample)
        assert torch.equal(space.decode(latents), vae.decode(latents / 0.5).sample)
    assert space.decode(latents).shape == (3, 3, 8, 8)
    with pytest.raises(ValueError, match="needs labels, or its null class"):
        denoiser(latents, t)


def test_a_latents_image_has_a_gradient(tmp_path: Path) -> None:
    _, denoiser = loaded(write_dit(tmp_path / "dit"))
    latents = inputs(4, 4)[0].requires_grad_()
    (gradient,) = torch.autograd.grad(space_of(denoiser).decode(latents).sum(), latents)
    assert gradient.abs().min() > 0


def test_an_older_dit_under_its_former_class_name_is_the_same(tmp_path: Path) -> None:
    new, old = write_dit(tmp_path / "new"), write_dit(tmp_path / "old")
    file = old / "transformer" / "config.json"
    config = {**json.loads(file.read_text()), "_class_name": "Transformer2DModel", "cross_attention_dim": None}
    file.write_text(json.dumps(config))
    latents, t = inputs(4, 4)
    y = torch.tensor([0, 4, 5])
    assert torch.equal(loaded(old)[1](latents, t, y), loaded(new)[1](latents, t, y))


def test_samples_of_a_folder_depend_on_their_seeds(tmp_path: Path) -> None:
    facts, denoiser = loaded(write_unet(tmp_path / "ddpm"))
    process = Diffusion.make(facts.schedule, facts.timesteps).respaced(3)

    def sample(*seeds: int) -> Tensor:
        return ddpm(Model(denoiser, None), process, noise=SeededNoise(seeds, (3, 8, 8), steps=3))

    assert torch.equal(sample(1, 2)[1], sample(3, 2)[1])
    assert not torch.equal(sample(1, 2)[0], sample(3, 2)[0])


def edit(file: str, **changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def remove(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def replace_with(file: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / file).write_bytes(content)

    return change


def weights(change: Callable[[dict[str, Tensor]], None]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        path = folder / "diffusion_pytorch_model.safetensors"
        state = load_file(path)
        change(state)
        save_file(state, path, metadata={"format": "pt"})

    return rewrite


def drop(state: dict[str, Tensor]) -> None:
    del state["conv_in.bias"]


def add(state: dict[str, Tensor]) -> None:
    state["more"] = torch.zeros(1)


def misshape(state: dict[str, Tensor]) -> None:
    state["conv_in.bias"] = torch.zeros(3)


def cut(folder: Path) -> None:
    path = folder / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])


SCHEDULER = "scheduler/scheduler_config.json"


@pytest.mark.parametrize(
    ("change", "refusal", "sentence"),
    [
        (cut, UnreadableCheckpoint, "net can't be read to its end"),
        (remove("diffusion_pytorch_model.safetensors"), UnreadableCheckpoint, "net can't be read to its end"),
        (weights(drop), CheckpointMismatch, r"net lacks the tensor conv_in\.bias"),
        (weights(add), CheckpointMismatch, "net has a tensor more, which its network does not know"),
        (weights(misshape), CheckpointMismatch, r"net does not fit its config\.json .*conv_in\.bias"),
        (replace_with("config.json", b"{"), UnreadableCheckpoint, r"net/config\.json is no readable JSON"),
        (replace_with("config.json", b"[]"), UnreadableCheckpoint, r"net/config\.json must be a JSON object"),
        (edit("config.json", _class_name="UNet2DConditionModel"), CheckpointMismatch, "holds a UNet2DConditionModel"),
        (edit("config.json", sample_size=9), CheckpointMismatch, "image size as 9; it must be square and divisible"),
        (edit("config.json", sample_size=[8, 4]), CheckpointMismatch, r"image size as \[8, 4\]; it must be square"),
        (edit("config.json", sample_size=None), UntoldFacts, "say --image-size"),
        (edit("config.json", in_channels=4), CheckpointMismatch, "takes 4 channels and predicts 3"),
        (edit("config.json", time_embedding_type="fourier"), CheckpointMismatch, "another way than by a timestep"),
        (edit("config.json", class_embed_type="identity"), CheckpointMismatch, "takes classes as identity"),
        (edit("config.json", block_out_channels=[8]), CheckpointMismatch, r"does not fit its config\.json"),
        (remove(SCHEDULER), UntoldFacts, r"no scheduler_config\.json with a beta_schedule; say --schedule"),
        (edit(SCHEDULER, beta_schedule="sigmoid"), CheckpointMismatch, 'the beta schedule "sigmoid"; known are'),
        (edit(SCHEDULER, trained_betas=[0.1]), CheckpointMismatch, "trained with betas of its own"),
        (edit(SCHEDULER, rescale_betas_zero_snr=True), CheckpointMismatch, "a signal of zero at the last step"),
        (edit(SCHEDULER, prediction_type="flow"), CheckpointMismatch, 'predicts "flow"; what is known'),
        (edit(SCHEDULER, beta_end=2), CheckpointMismatch, "must rise between 0 and 1"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, change: Callable[[Path], None], refusal: type[RefusedCheckpoint], sentence: str
) -> None:
    folder = write_unet(tmp_path / "net")
    change(folder)
    with pytest.raises(refusal, match=sentence) as refused:
        inspect_checkpoint(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (remove("vae/config.json"), r"no vae/config\.json; a DiT needs the autoencoder"),
        (edit("vae/config.json", latent_channels=8), "denoises 4 channels, but its autoencoder has 8"),
        (edit("transformer/config.json", sample_size=5), "latents of 5, which its patches don't divide"),
        (edit("transformer/config.json", out_channels=3), "must predict noise for its 4 channels"),
        (edit(SCHEDULER, prediction_type="v_prediction"), "must predict noise for its 4 channels"),
    ],
)
def test_a_dit_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, change: Callable[[Path], None], sentence: str
) -> None:
    folder = write_dit(tmp_path / "dit")
    change(folder)
    with pytest.raises(RefusedCheckpoint, match=sentence):
        inspect_checkpoint(folder)


def test_what_a_folder_does_not_say_can_be_told(tmp_path: Path) -> None:
    folder = write_unet(tmp_path / "net")
    remove(SCHEDULER)(folder)
    facts, denoiser = loaded(folder, Options(schedule="cosine", timesteps=500, predicts="sample", image_size=16))
    assert (facts.schedule, facts.timesteps, facts.details["predicts"]) == ("cosine", 500, "sample")
    assert space_of(denoiser).size == 16


def test_labels_in_another_number_than_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match="has 5 classes, but 2 labels were given"):
        inspect_checkpoint(write_dit(tmp_path / "dit"), Options(class_labels=("a", "b")))


def test_a_pickle_with_code_in_a_folder_is_not_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path / "made").mkdir, ()

    folder = write_unet(tmp_path / "net")
    remove("diffusion_pytorch_model.safetensors")(folder)
    torch.save({"conv_in.bias": Harmful()}, folder / "diffusion_pytorch_model.bin")
    with pytest.raises(RefusedCheckpoint, match=r"^net "):
        inspect_checkpoint(folder)
    assert not (tmp_path / "made").exists()


def test_a_missing_library_is_named_with_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_unet(tmp_path / "net")
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(MissingExtra, match=r"^net needs diffusers, .*: pip install -r requirements-extras\.txt$"):
        inspect_checkpoint(folder)


def test_a_denoisers_folder_is_not_taken_for_a_classifier(tmp_path: Path) -> None:
    folder = write_unet(tmp_path / "net")
    with pytest.raises(CheckpointMismatch, match="is a denoiser, not a classifier"):
        load_classifier(folder)


def test_reading_a_folder_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        loaded(write_dit(tmp_path / "dit"))
    assert not caplog.records


def test_downloads_of_the_first_years_are_read_too(tmp_path: Path) -> None:
    attention = {
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    }
    folder = write_unet(tmp_path / "old", attention_head_dim=4, add_attention=True, **attention)
    x, t = inputs()
    expected = raw(folder, x, t)
    renamed = {}
    for key, value in load_file(folder / "diffusion_pytorch_model.safetensors").items():
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            key = key.replace(f".{new}.", f".{old}.")
        renamed[key] = value
    remove("diffusion_pytorch_model.safetensors")(folder)
    torch.save(renamed, folder / "diffusion_pytorch_model.bin")
    assert torch.equal(loaded(folder)[1](x, t), expected)
