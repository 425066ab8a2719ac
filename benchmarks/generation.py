"""Pairs a second, ours against the obvious way: python -m benchmarks.generation [--device cuda] [--json OUT].

A pair is one seed under two arms, a vanilla (s = 0.5) and a robust (s = 1) classifier's, written as PNGs. Both ways run
in turns in one process, so that a busy machine slows both; ratios are medians over the turns, of the wall clock and of
CPU time. On a CPU the SportBalls networks; --weights adm-128 is ADM-128 with random weights, for a GPU.
"""

import argparse
import json
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import obvious
from generation.diffusion.acceleration import ready_denoiser, ready_guide
from generation.diffusion.arithmetic import Arithmetic, CompileMode, Precision
from generation.diffusion.checkpoints import load_classifier, load_denoiser
from generation.diffusion.classifiers import Classifier, ClassifierConfig, EncoderClassifier
from generation.diffusion.guides import Guide
from generation.diffusion.networks import UNet, UNetConfig
from generation.diffusion.noise import SeededNoise
from generation.diffusion.process import Diffusion
from generation.diffusion.recipes import Guidance, Recipe
from generation.diffusion.sampling import to_uint8
from generation.diffusion.seed_matched import GuidedArm, Source, sample_arms
from generation.diffusion.spaces import Space

Pixels = NDArray[np.uint8]

WEIGHTS = Path(__file__).resolve().parents[1] / "generation" / "weights"
SCALES = {"vanilla": 0.5, "robust": 1.0}
ADM_128 = UNetConfig(
    image_size=128,
    model_channels=256,
    out_channels=6,
    num_res_blocks=2,
    attention_resolutions=(4, 8, 16),
    channel_mult=(1, 1, 2, 3, 4),
    num_heads=4,
    num_classes=1000,
)
CLASSIFIER_128 = ClassifierConfig(
    image_size=128,
    model_channels=128,
    out_channels=1000,
    num_res_blocks=2,
    attention_resolutions=(4, 8, 16),
    channel_mult=(1, 1, 2, 3, 4),
)


@dataclass(frozen=True)
class Networks:
    """A denoiser and the two arms' classifiers."""

    denoiser: UNet
    classifiers: dict[str, Classifier]

    @property
    def size(self) -> int:
        """Pixels along a side."""
        return self.denoiser.config.image_size


@dataclass(frozen=True)
class Result:
    """One number of rows: pairs a second, ratios of their time to ours, and where our time goes, in shares of it.

    noise: what drawing it takes, as a share of our time, though a thread draws it beside the rest.
    """

    rows: int
    ours: float
    obvious: float
    ratio: float
    ratio_of_cpu_time: float
    tflop_per_pair: float
    share_of_matmul_rate: float
    time: dict[str, float]
    noise: float


def main() -> None:
    """Measure every number of rows, and print a table."""
    options = parsed()
    device = torch.device(options.device)
    arithmetic = Arithmetic(precision=Precision(options.precision), compile_mode=CompileMode(options.compile_mode))
    networks = _NETWORKS[options.weights](device)
    rate = matmul_rate(device, arithmetic.precision)
    results = [
        measured(networks, arithmetic, rows=rows, steps=options.steps, turns=options.turns, rate=rate)
        for rows in options.rows
    ]
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "weights": options.weights,
        "steps": options.steps,
        "turns": options.turns,
        "precision": arithmetic.precision.value,
        "compile_mode": arithmetic.compile_mode.value,
        "matmul_tflops": rate / 1e12,
    }
    print(table(facts, results))
    if options.json:
        options.json.write_text(json.dumps({**facts, "results": [asdict(one) for one in results]}, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", choices=_NETWORKS, default="sportballs")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rows", type=int, nargs="+", default=[2, 4, 8, 16], help="images of one forward, even")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--precision", choices=[one.value for one in Precision], default="float32")
    parser.add_argument("--compile-mode", choices=[one.value for one in CompileMode], default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if any(rows < 2 or rows % 2 for rows in options.rows):
        parser.error("rows are those of two arms: even numbers from 2 on")
    return options


def measured(networks: Networks, arithmetic: Arithmetic, *, rows: int, steps: int, turns: int, rate: float) -> Result:
    """Take turns: ours, the obvious way; once more for the time of ours by part."""
    pairs = rows // 2
    with TemporaryDirectory() as folder:

        def ours(watch: "Watch | None" = None) -> None:
            make_ours(networks, arithmetic, pairs=pairs, steps=steps, folder=Path(folder), watch=watch)

        def theirs() -> None:
            make_obviously(networks, arithmetic, pairs=pairs, steps=steps, folder=Path(folder))

        # The first run of each allocates, and compiles where that is asked for.
        ours()
        theirs()
        timed = [(clocked(ours), clocked(theirs)) for _ in range(turns)]
        watch = Watch(_device(networks))
        whole, _ = clocked(lambda: ours(watch))
        noise, _ = clocked(lambda: draw_noise(pairs, size=networks.size, steps=steps))
    flop = flop_of_a_step(networks, pairs=pairs) * steps
    seconds = median(mine[0] for mine, _ in timed)
    return Result(
        rows=rows,
        ours=pairs / seconds,
        obvious=pairs / median(other[0] for _, other in timed),
        ratio=median(other[0] / mine[0] for mine, other in timed),
        ratio_of_cpu_time=median(other[1] / mine[1] for mine, other in timed),
        tflop_per_pair=flop / pairs / 1e12,
        share_of_matmul_rate=flop / seconds / rate,
        time=watch.shares(whole),
        noise=noise / seconds,
    )


class Watch:
    """Seconds by part of our way. It waits for a GPU at the ends of each part, so its run is not one that counts."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Add what happens inside to this part."""
        stop = self.start(part)
        yield
        stop()

    def start(self, part: str) -> Callable[[], None]:
        """Begin to count for this part; the function that is returned ends it."""
        begun = _now(self._device)

        def stop() -> None:
            self._seconds[part] += _now(self._device) - begun

        return stop

    def shares(self, whole: float) -> dict[str, float]:
        """The parts' shares of the whole; of guides, forward and backward."""
        shares = {part: seconds / whole for part, seconds in self._seconds.items()}
        return {**shares, "rest": 1 - sum(shares.values())}


class Unwatched(Watch):
    """Watches nothing and waits for nothing."""

    def start(self, part: str) -> Callable[[], None]:
        """Do nothing."""
        return lambda: None


def make_ours(
    networks: Networks,
    arithmetic: Arithmetic,
    *,
    pairs: int,
    steps: int,
    folder: Path,
    watch: Watch | None = None,
) -> None:
    """All arms together, as the runner makes a chunk, but for its rows in the database."""
    device = _device(networks)
    watch = watch or Unwatched(device)
    denoiser = ready_denoiser(networks.denoiser, arithmetic)

    def watched(x_t: Tensor, t: Tensor, y: Tensor | None = None, /) -> Tensor:
        with watch.on("denoiser"):
            return denoiser(x_t, t, y)

    made = sample_arms(
        Source(denoiser=watched, process=Diffusion.make(), space=Space(size=networks.size)),
        [_arm(name, classifier, arithmetic, watch) for name, classifier in networks.classifiers.items()],
        seeds=range(pairs),
        requested=[[seed % 4] for seed in range(pairs)],
        steps=steps,
        device=device,
    )
    with watch.on("saving"):
        for name, images in made.images.items():
            for row, pixels in enumerate(to_uint8(images).numpy()):
                (folder / f"{name}-{row}.png").write_bytes(encoded(pixels))


def make_obviously(networks: Networks, arithmetic: Arithmetic, *, pairs: int, steps: int, folder: Path) -> None:
    """One arm after the other, classifiers with weight gradients, under autocast where bfloat16 is wanted."""
    device = _device(networks)
    runs = [obvious.Run(name, network, SCALES[name]) for name, network in networks.classifiers.items()]
    for classifier in networks.classifiers.values():
        classifier.requires_grad_(True)
    with torch.autocast(device.type, torch.bfloat16, enabled=arithmetic.precision is Precision.BFLOAT16):
        obvious.make(
            networks.denoiser,
            Diffusion.make().respaced(steps),
            runs,
            labels=torch.arange(pairs, device=device) % 4,
            size=networks.size,
            folder=folder,
        )
    for classifier in networks.classifiers.values():
        classifier.requires_grad_(False)


def draw_noise(pairs: int, *, size: int, steps: int) -> None:
    """Draw a chain's noise."""
    noise = SeededNoise(range(pairs), (3, size, size), steps=steps - 1)
    for k in range(steps - 1):
        noise.step(k)


def encoded(pixels: Pixels) -> bytes:
    """A PNG, as the runner writes it."""
    buffer = BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def flop_of_a_step(networks: Networks, *, pairs: int) -> int:
    """FLOP of one step: a forward of the denoiser for all arms, and of each classifier forward and backward."""
    device = _device(networks)
    rows = pairs * len(networks.classifiers)
    x, t = torch.zeros(rows, 3, networks.size, networks.size, device=device), torch.zeros(rows, device=device)
    with FlopCounterMode(display=False) as counter:
        with torch.no_grad():
            networks.denoiser(x, t, torch.zeros(rows, dtype=torch.int64, device=device))
        for classifier in networks.classifiers.values():
            classifier(x[:pairs].requires_grad_(), t[:pairs]).sum().backward()
    return int(counter.get_total_flops())


def matmul_rate(device: torch.device, precision: Precision) -> float:
    """The most FLOP a second that multiplying square matrices reaches here, in this precision."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device, dtype=getattr(torch, precision.value)) for _ in range(2))

    def multiply() -> None:
        torch.mm(a, b)
        _now(device)

    multiply()
    return 2 * side**3 / min(clocked(multiply)[0] for _ in range(10))


def clocked(act: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the wall clock, and of CPU time over all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def cpu_name() -> str:
    """What the CPU calls itself."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def table(facts: Mapping[str, object], results: Sequence[Result]) -> str:
    """What was measured and on what, as Markdown."""
    lines = [f"- {name.replace('_', ' ')}: {value or 'none'}" for name, value in facts.items()]
    parts = list(results[0].time)
    head = ["rows", "ours, pairs/s", "obvious, pairs/s", "ratio", "ratio of CPU time", "TFLOP a pair"]
    head += ["of matmul rate", *parts, "(noise, beside)"]
    lines += ["", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for one in results:
        cells = [f"{one.rows}", f"{one.ours:.3f}", f"{one.obvious:.3f}", f"{one.ratio:.2f}"]
        cells += [f"{one.ratio_of_cpu_time:.2f}", f"{one.tflop_per_pair:.4f}", f"{one.share_of_matmul_rate:.0%}"]
        cells += [f"{one.time[part]:.1%}" for part in parts] + [f"{one.noise:.1%}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _arm(name: str, classifier: Classifier, arithmetic: Arithmetic, watch: Watch) -> GuidedArm:
    recipe = Recipe(guidance=Guidance.CLASSIFIER, scale=SCALES[name])
    guide = ready_guide(classifier, recipe, arithmetic)

    def watched(x: Tensor, t: Tensor) -> Tensor:
        stop = watch.start("classifiers, forward and backward")
        # The gradient by x is the last thing that the backward pass makes.
        x.register_hook(lambda _: stop())  # type: ignore[no-untyped-call]  # torch's own
        return guide.logits(x, t)

    return GuidedArm(name=name, recipe=recipe, guide=Guide(logits=watched, classes=guide.classes))


def _sportballs(device: torch.device) -> Networks:
    denoiser = load_denoiser(WEIGHTS / "sportballs-denoiser.safetensors", device=device)
    if not isinstance(denoiser, UNet):
        raise TypeError("The shipped denoiser is a UNet.")
    named = {name: WEIGHTS / f"sportballs-{name}.safetensors" for name in SCALES}
    return Networks(denoiser, {name: load_classifier(path, device=device) for name, path in named.items()})


def _adm_128(device: torch.device) -> Networks:
    torch.manual_seed(0)
    with device:
        denoiser = UNet(ADM_128)
        classifiers: dict[str, Classifier] = {name: EncoderClassifier(CLASSIFIER_128) for name in SCALES}
    for network in (denoiser, *classifiers.values()):
        _fill(network.eval().requires_grad_(False))
    return Networks(denoiser, classifiers)


def _fill(network: nn.Module) -> None:
    """Random weights everywhere: the last layers begin at zero, which a GPU multiplies with less heat and so faster."""
    for weight in network.parameters():
        if weight.dim() > 1:
            weight.normal_(std=weight[0].numel() ** -0.5)


def _device(networks: Networks) -> torch.device:
    return next(networks.denoiser.parameters()).device


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


_NETWORKS = {"sportballs": _sportballs, "adm-128": _adm_128}


if __name__ == "__main__":
    main()
