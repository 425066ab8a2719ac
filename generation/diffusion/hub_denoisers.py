"""Denoisers in the format of `diffusers`, an optional library: UNet2DModel, DiT and EDM-preconditioned UNets.

Chosen because nearly every denoiser on the hub is in that format. A folder is read as it was downloaded: the
network's config.json in it, in unet/ or in transformer/, the scheduler's beside it or in scheduler/, for a DiT the
autoencoder in vae/.
"""

import importlib
import json
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from generation.diffusion.facts import (
    Architecture,
    CheckpointFacts,
    CheckpointMismatch,
    Kind,
    MissingExtra,
    Options,
    UnreadableCheckpoint,
    UntoldFacts,
    check_chain,
    checked_labels,
    classes_of,
    digest_of,
    first_line,
)
from generation.diffusion.hub_networks import EdmUNet, HubDenoiser, LatentTransformer, PixelUNet, Predicts
from generation.diffusion.process import Diffusion
from generation.diffusion.spaces import Space

EXTRA = "diffusers"
_UNETS = ("UNet2DModel",)
# Older downloads call a DiT by the name of the class that it was once a part of.
_TRANSFORMERS = ("DiTTransformer2DModel", "Transformer2DModel")
_BETAS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
# What diffusers takes where a scheduler's file is silent.
_FIRST_BETA, _LAST_BETA, _TIMESTEPS = 0.0001, 0.02, 1000

Document = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, kw_only=True)
class Chain:
    """How a folder's network was trained. clipped: whether x_0 is clamped. sigma_data: None unless it is EDM's."""

    schedule: str
    timesteps: int
    predicts: Predicts
    clipped: bool
    sigma_data: float | None


def is_denoiser(folder: Path) -> bool:
    """Whether a folder's network is one of diffusers', which name their class in config.json."""
    return _network_folder(folder) is not None


def inspect_folder(folder: Path, options: Options) -> CheckpointFacts:
    """Read a folder's facts, and its weights once. Raises RefusedCheckpoint."""
    part = _network_folder(folder)
    if part is None:
        raise UnreadableCheckpoint(f"{folder.name} has no config.json of a diffusers network.")
    config, chain = _document(part / "config.json"), _chain(folder, options)
    is_dit = config["_class_name"] in _TRANSFORMERS
    if not is_dit and config["_class_name"] not in _UNETS:
        raise CheckpointMismatch(
            f"{folder.name} holds a {config['_class_name']}; denoisers that can be used are UNet2DModel and "
            "DiTTransformer2DModel."
        )
    size = _check_dit(folder, config, chain) if is_dit else _check_unet(folder, config, chain, options)
    _networks(folder)
    labels, null_class = _classes(folder, config, options, is_dit=is_dit)
    return CheckpointFacts(
        kind=Kind.DENOISER,
        architecture=_architecture(chain, is_dit=is_dit),
        config={key: value for key, value in config.items() if not key.startswith("_")},
        image_size=size,
        class_labels=labels,
        null_class=null_class,
        schedule=chain.schedule,
        timesteps=chain.timesteps,
        noise_trained=True,
        takes_t=True,
        adversarial=None,
        card={},
        sha256=digest_of(folder),
        takes_labels=bool(labels),
        extra=EXTRA,
        details={
            "latent": is_dit,
            "predicts": chain.predicts.value,
            "clipped": chain.clipped,
            "sigma_data": chain.sigma_data,
        },
    )


def load_folder(folder: Path, facts: CheckpointFacts, *, device: torch.device | str = "cpu") -> HubDenoiser:
    """The denoiser of an inspected folder, frozen, in float32. Raises RefusedCheckpoint."""
    process = Diffusion.make(facts.schedule, facts.timesteps)
    networks = _networks(folder)
    denoiser: HubDenoiser
    predicts, sigma_data = Predicts(facts.details["predicts"]), facts.details["sigma_data"]
    space = Space(size=facts.image_size, clipped=facts.details["clipped"])
    if facts.architecture is Architecture.DIT:
        denoiser = LatentTransformer(networks["transformer"], process, autoencoder=networks["vae"])
    elif sigma_data is not None:
        sign = -1 if predicts is Predicts.V else 1
        denoiser = EdmUNet(networks["unet"], process, space=space, sigma_data=sigma_data, c_out_sign=sign)
    else:
        denoiser = PixelUNet(networks["unet"], process, space=space, predicts=predicts)
    return denoiser.to(device).eval().requires_grad_(False)


def _network_folder(folder: Path) -> Path | None:
    for part in (folder, folder / "unet", folder / "transformer"):
        if (part / "config.json").is_file() and "_class_name" in _document(part / "config.json"):
            return part
    return None


def _architecture(chain: Chain, *, is_dit: bool) -> Architecture:
    if is_dit:
        return Architecture.DIT
    return Architecture.DIFFUSERS_UNET if chain.sigma_data is None else Architecture.EDM_UNET


def _chain(folder: Path, options: Options) -> Chain:
    config = _scheduler(folder)
    if config.get("trained_betas") is not None or config.get("rescale_betas_zero_snr"):
        raise CheckpointMismatch(
            f"{folder.name} was trained with betas of its own or with a signal of zero at the last step, "
            "which no schedule here has."
        )
    edm = "sigma_data" in config
    schedule = options.schedule or (_edm_schedule(config) if edm else _schedule(folder, config))
    trained = int(config.get("num_train_timesteps", _TIMESTEPS))
    timesteps = trained if options.timesteps is None else options.timesteps
    check_chain(schedule, timesteps, name=folder.name)
    predicts = options.predicts or config.get("prediction_type", Predicts.EPS.value)
    if predicts not in set(Predicts):
        raise CheckpointMismatch(
            f'{folder.name} predicts "{predicts}"; what is known here is {", ".join(Predicts)} (--predicts).'
        )
    return Chain(
        schedule=schedule,
        timesteps=timesteps,
        predicts=Predicts(predicts),
        clipped=bool(config.get("clip_sample", True)) and config.get("clip_sample_range", 1) == 1,
        sigma_data=float(config["sigma_data"]) if edm else None,
    )


def _scheduler(folder: Path) -> Document:
    places = (folder / "scheduler" / "scheduler_config.json", folder / "scheduler_config.json")
    file = next((place for place in places if place.is_file()), None)
    return {} if file is None else _document(file)


def _schedule(folder: Path, config: Document) -> str:
    name = config.get("beta_schedule")
    if name is None:
        raise UntoldFacts(
            f"{folder.name} has no scheduler_config.json with a beta_schedule; say --schedule (linear, cosine or "
            "linear:FIRST:LAST, with the first and last beta)."
        )
    if name not in _BETAS:
        raise CheckpointMismatch(f'{folder.name} has the beta schedule "{name}"; known are {", ".join(_BETAS)}.')
    first, last = config.get("beta_start", _FIRST_BETA), config.get("beta_end", _LAST_BETA)
    usual = (first, last) == (_FIRST_BETA, _LAST_BETA) and config.get("num_train_timesteps", _TIMESTEPS) == _TIMESTEPS
    if name == "squaredcos_cap_v2" or (name == "linear" and usual):
        return _BETAS[name]
    return f"{_BETAS[name]}:{first}:{last}"


def _edm_schedule(config: Document) -> str:
    """A linear chain whose noisiest level is the sigma_max that the network was trained up to."""
    wanted, timesteps = float(config.get("sigma_max", 80)), int(config.get("num_train_timesteps", _TIMESTEPS))
    low, high = _FIRST_BETA, 0.5
    for _ in range(40):
        middle = (low + high) / 2
        alpha_bar = Diffusion.make(f"linear:{_FIRST_BETA}:{middle}", timesteps).alpha_bar[-1]
        low, high = (middle, high) if math.sqrt((1 - alpha_bar) / alpha_bar) < wanted else (low, middle)
    return f"linear:{_FIRST_BETA}:{low:.6f}"


def _check_unet(folder: Path, config: Document, chain: Chain, options: Options) -> int:
    """The image size. Raises RefusedCheckpoint for a UNet that is no denoiser of images."""
    size = config.get("sample_size") if options.image_size is None else options.image_size
    if size is None:
        raise UntoldFacts(f"{folder.name} does not say what size its images have; say --image-size.")
    sides = {size} if isinstance(size, int) else set(size)
    halvings = len(config.get("down_block_types", ())) - 1
    if len(sides) != 1 or (side := int(sides.pop())) < 1 or side % 2 ** max(halvings, 0):
        raise CheckpointMismatch(
            f"{folder.name} gives its image size as {size}; it must be square and divisible by {2 ** max(halvings, 0)}."
        )
    channels, predicted = config.get("in_channels", 3), config.get("out_channels", 3)
    if channels != 3 or predicted not in (3, 6) or (chain.sigma_data is not None and predicted != 3):
        raise CheckpointMismatch(
            f"{folder.name} takes {channels} channels and predicts {predicted}; a denoiser of images takes 3 and "
            "predicts 3, or 6 with a learned variance."
        )
    if config.get("time_embedding_type", "positional") != "positional":
        raise CheckpointMismatch(f"{folder.name} is told the noise level in another way than by a timestep.")
    if config.get("class_embed_type") is not None:
        raise CheckpointMismatch(
            f"{folder.name} takes classes as {config['class_embed_type']}; only an index (num_class_embeds) will do."
        )
    return side


def _check_dit(folder: Path, config: Document, chain: Chain) -> int:
    """The size of decoded images. Raises RefusedCheckpoint for a DiT that cannot be used."""
    if not (folder / "vae" / "config.json").is_file():
        raise UnreadableCheckpoint(f"{folder.name} has no vae/config.json; a DiT needs the autoencoder of its latents.")
    vae = _document(folder / "vae" / "config.json")
    channels, size = config.get("in_channels", 4), config.get("sample_size", 32)
    if channels != vae.get("latent_channels", 4):
        raise CheckpointMismatch(
            f"{folder.name} denoises {channels} channels, but its autoencoder has {vae.get('latent_channels', 4)}."
        )
    if config.get("out_channels") not in (None, channels, 2 * channels) or chain.predicts is not Predicts.EPS:
        raise CheckpointMismatch(
            f"{folder.name} must predict noise for its {channels} channels, with or without a variance each."
        )
    if not isinstance(size, int) or size % config.get("patch_size", 2):
        raise CheckpointMismatch(f"{folder.name} has latents of {size}, which its patches don't divide.")
    return size * int(2 ** (len(vae.get("block_out_channels", (0,))) - 1))


def _classes(folder: Path, config: Document, options: Options, *, is_dit: bool) -> tuple[tuple[str, ...], int | None]:
    if not is_dit:
        return classes_of(config.get("num_class_embeds"), name=folder.name, options=options)
    count = int(config.get("num_embeds_ada_norm") or 1000)
    told = options.class_labels or _stated_labels(folder, count=count)
    return checked_labels(told, count=count, name=folder.name), count


def _stated_labels(folder: Path, *, count: int) -> tuple[str, ...] | None:
    """The labels in a pipeline's model_index.json, if all are there."""
    index = folder / "model_index.json"
    labels = _document(index).get("id2label") if index.is_file() else None
    if not isinstance(labels, dict) or any(str(number) not in labels for number in range(count)):
        return None
    return tuple(str(labels[str(number)]) for number in range(count))


def _networks(folder: Path) -> dict[str, nn.Module]:
    """A folder's networks by their part in it, in float32. Raises RefusedCheckpoint."""
    part = _network_folder(folder)
    if part is None:
        raise UnreadableCheckpoint(f"{folder.name} has no config.json of a diffusers network.")
    try:
        diffusers: Any = importlib.import_module("diffusers")  # Any: the library's types are not ours
    except ImportError as error:
        raise MissingExtra(folder.name, library=EXTRA) from error
    if _document(part / "config.json")["_class_name"] in _UNETS:
        return {"unet": _read(diffusers.UNet2DModel, part, name=folder.name)}
    return {
        "transformer": _read(diffusers.DiTTransformer2DModel, part, name=folder.name),
        "vae": _read(diffusers.AutoencoderKL, folder / "vae", name=f"{folder.name}/vae"),
    }


def _read(family: Any, part: Path, *, name: str) -> nn.Module:  # Any: a class of the library
    try:
        network, report = family.from_pretrained(
            part,
            local_files_only=True,
            low_cpu_mem_usage=False,
            output_loading_info=True,
            torch_dtype=torch.float32,
        )
    except (OSError, SafetensorError, pickle.UnpicklingError) as error:
        raise UnreadableCheckpoint(f"{name} can't be read to its end ({first_line(error)}).") from error
    except (ValueError, RuntimeError, KeyError, TypeError, NotImplementedError) as error:
        raise CheckpointMismatch(f"{name} does not fit its config.json ({first_line(error)}).") from error
    for key in report["missing_keys"]:
        raise CheckpointMismatch(f"{name} lacks the tensor {key}, which its network needs.")
    for key in report["unexpected_keys"]:
        raise CheckpointMismatch(f"{name} has a tensor {key}, which its network does not know.")
    read: nn.Module = network
    return read


def _document(file: Path) -> Document:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableCheckpoint(
            f"{file.parent.name}/{file.name} is no readable JSON ({first_line(error)})."
        ) from error
    if not isinstance(document, dict):
        raise UnreadableCheckpoint(f"{file.parent.name}/{file.name} must be a JSON object.")
    return document
