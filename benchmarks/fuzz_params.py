"""Changed copies of params.yaml, read back: each is understood, or refused in lines that name it.

Usage: python benchmarks/fuzz_params.py [--tries 200] [--seed 13]

Prints a markdown row for each kind of change: how many were tried, how many ended right (understood
or `ParamsError` in at most 11 lines of at most 300 characters), how many were understood, and the
longest time. A change that must never be understood (a doubled key, say) is wrong if it is.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import yaml

from tuneprobe.params import ParamsError, load_params

SHIPPED = Path(__file__).parent.parent / "params.yaml"
VALUES = [
    "true",
    "null",
    "-1",
    "0",
    "1e400",
    ".nan",
    ".inf",
    "[]",
    "{}",
    "''",
    "'1'",
    "yes",
    "0x10",
]
VALUES += ["9" * 30, "9" * 5000, "[1, 1]", "../x", "$(touch x)", "!!python/object:x {}", "&a [*a]"]

CHARACTERS = "\x00\x07\t\"'*:[\x85\ufeff\U0001f600"


def change_a_value(text: str, draw: Random) -> str:
    """Another value for one key."""
    lines = text.splitlines()
    number = draw.choice([n for n, line in enumerate(lines) if ": " in line.split("#")[0]])
    lines[number] = f"{lines[number].split(': ')[0]}: {draw.choice(VALUES)}"
    return "\n".join(lines)


def drop_a_line(text: str, draw: Random) -> str:
    """One line less."""
    lines = text.splitlines()
    del lines[draw.randrange(len(lines))]
    return "\n".join(lines)


def indent_a_line(text: str, draw: Random) -> str:
    """One line further to the right."""
    lines = text.splitlines()
    number = draw.randrange(len(lines))
    lines[number] = " " * draw.randint(1, 4) + lines[number]
    return "\n".join(lines)


def change_a_character(text: str, draw: Random) -> str:
    """Another character at one place."""
    place = draw.randrange(len(text))
    return text[:place] + draw.choice(CHARACTERS) + text[place + 1 :]


def cut(text: str, draw: Random) -> str:
    """The beginning alone."""
    return text[: draw.randrange(len(text))]


def double_a_block(text: str, draw: Random) -> str:
    """A block at the top, twice."""
    return f"{text}\n{draw.choice(list(yaml.safe_load(text)))}: 1\n"


def nest(text: str, draw: Random) -> str:
    """A value within thousands of brackets."""
    return f"{text}\nextra: {'[' * draw.randint(100, 100_000)}\n"


def laugh(text: str, draw: Random) -> str:
    """Aliases of aliases, which would expand to millions of values."""
    width, depth = draw.randint(8, 12), draw.randint(7, 30)
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return text + "\n" + "\n".join(lines)


def swell(text: str, draw: Random) -> str:
    """A file of megabytes."""
    return text + "#" + "x" * draw.randint(1 << 20, 1 << 22)


def encode_otherwise(text: str, draw: Random) -> bytes:
    """Another encoding, or a byte order mark."""
    return text.replace("e", "\u00e9", 1).encode(
        draw.choice(["utf-16", "utf-8-sig", "latin-1", "utf-32"])
    )


Change = Callable[[str, Random], str | bytes]
CHANGES: list[Change] = [change_a_value, drop_a_line, indent_a_line, change_a_character, cut]
NEVER: list[Change] = [double_a_block, nest, laugh, swell, encode_otherwise]


def outcomes(change: Change, tries: int, seed: int, folder: Path) -> Iterator[tuple[str, float]]:
    """What became of each try, ``understood``, ``refused`` or ``wrong``, and its seconds."""
    text, draw = SHIPPED.read_text(encoding="utf-8"), Random(f"{seed} {change.__name__}")
    for _ in range(tries):
        changed = change(text, draw)
        path = folder / "params.yaml"
        path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
        start = time.perf_counter()
        yield outcome(path, change), time.perf_counter() - start


def outcome(path: Path, change: Change) -> str:
    """Read one file."""
    try:
        load_params(path)
    except ParamsError as error:
        lines = str(error).splitlines()
        clear = len(lines) <= 11 and all(str(path) in line for line in lines)
        return "refused" if clear and max(map(len, lines)) - len(str(path)) <= 300 else "wrong"
    except Exception as error:
        print(f"{change.__name__}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return "wrong"
    return "wrong" if change in NEVER else "understood"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=13)
    given = parser.parse_args()
    print("| change | tried | right | understood | longest, ms |\n|---|---|---|---|---|")  # noqa: T201
    bad = 0
    with TemporaryDirectory() as folder:
        for change in [*CHANGES, *NEVER]:
            ends, seconds = zip(
                *outcomes(change, given.tries, given.seed, Path(folder)), strict=True
            )
            bad += ends.count("wrong")
            right, understood = given.tries - ends.count("wrong"), ends.count("understood")
            name, longest = change.__name__.replace("_", " "), 1000 * max(seconds)
            print(f"| {name} | {given.tries} | {right} | {understood} | {longest:.0f} |")  # noqa: T201
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
