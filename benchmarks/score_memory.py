"""How much memory scoring takes: python -m benchmarks.score_memory [--images 50000] [--size 128] [--side 26].

Writes synthetic images into a compressed .npz in a temporary folder and scores them against a reference drawn anew,
in a process of its own, whose peak resident memory it prints. Features are pictures averaged to --side pixels: cheap to
make, and 26 gives 2028 numbers an image, as many as Inception's 2048. --neighbours adds precision and recall.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.lib import format as npy

ROOT = Path(__file__).resolve().parent.parent
LIMIT_GB = 2.0
CLASSES = 10
ROWS = 250


def main() -> None:
    """Write the archive, score it in another process, print what that took."""
    options = parsed()
    if options.score:
        score(options.score, options)
        return
    with TemporaryDirectory(dir=options.folder) as folder:
        archive = Path(folder) / "images.npz"
        write(archive, n=options.images, size=options.size)
        started = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.score_memory", *sys.argv[1:], "--score", str(archive)]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        seconds = time.monotonic() - started
    # Kilobytes on Linux; this process itself is small, so its children's peak is the scoring's.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{options.images} images of {options.size} px, {3 * options.side**2} features, {seconds:.0f} s")
    print(f"peak resident memory {peak:.2f} GiB ({'within' if peak < LIMIT_GB else 'OVER'} {LIMIT_GB:g} GiB)")
    sys.exit(peak >= LIMIT_GB)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--side", type=int, default=26)
    parser.add_argument("--neighbours", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the temporary files go (2 GB)")
    parser.add_argument("--score", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def blocks(n: int, *, size: int, seed: int) -> Iterator[tuple["np.ndarray", "np.ndarray"]]:
    """Smooth random pictures, which compress, with a class each."""
    rng = np.random.default_rng(seed)
    for start in range(0, n, ROWS):
        rows = min(ROWS, n - start)
        coarse = rng.integers(256, size=(rows, 32, 32, 3), dtype=np.uint8)
        pictures = coarse.repeat(-(-size // 32), axis=1).repeat(-(-size // 32), axis=2)[:, :size, :size]
        yield np.ascontiguousarray(pictures), rng.integers(CLASSES, size=rows)


def write(path: Path, *, n: int, size: int) -> None:
    """Stream the pictures into a compressed archive, as numpy would write it."""
    classes = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("arr_0.npy", "w", force_zip64=True) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (n, size, size, 3)}
            npy.write_array_header_1_0(file, header)
            for pictures, labels in blocks(n, size=size, seed=1):
                file.write(pictures.tobytes())
                classes.append(labels)
        with archive.open("arr_1.npy", "w") as file:
            npy.write_array(file, np.concatenate(classes))


def score(path: Path, options: argparse.Namespace) -> None:
    """Score fresh pictures against the archive."""
    from generation.diffusion.features import pixels
    from generation.diffusion.metrics import Metric
    from generation.diffusion.references import archive
    from generation.diffusion.scoring import gather_reference, score_arm

    metrics = [Metric.FRECHET, Metric.CONDITIONAL_FRECHET]
    if options.neighbours:
        metrics += [Metric.PRECISION, Metric.RECALL]
    extractor = pixels(options.side)
    reference = gather_reference(archive(path), extractor, file=path.with_suffix(".reference"))
    fresh = blocks(options.images, size=options.size, seed=2)
    for scored in score_arm(
        fresh, metrics=metrics, extractor=extractor, file=path.with_suffix(".arm"), reference=reference
    ):
        print(f"{scored.metric}: {scored.value:.6g} (n = {scored.n}, {scored.n_reference})")


if __name__ == "__main__":
    main()
