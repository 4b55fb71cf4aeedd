"""The packages stay within the budget that ARCHITECTURE.md gives them."""

import re
from collections import Counter
from pathlib import Path

ROW = re.compile(r"^\| `?([^|`]+)`? \| (\d+) \| ([\d,]+) \|$", re.MULTILINE)
BESIDE, PRESENTATION = "modules beside the packages", "presentation, as above"
SHOWN = ("page", "collect", "claims")  # packages of the presentation
MODULES = ("compare.py", "inventory.py", "measures.py", "wording.py")  # and modules beside them


def package(path: Path) -> str:
    """The row of ARCHITECTURE.md that counts a module of the library."""
    parts = path.parts[:-1]
    if not parts:
        return BESIDE
    return "/".join(parts[:2]) if parts[0] == "studies" else parts[0]


def is_shown(path: Path) -> bool:
    """Whether a module presents numbers, and measures none."""
    if path.parts[0] == "studies":
        return len(path.parts) == 3 and path.stem not in ("study", "__init__")
    return path.parts[0] in SHOWN or path.as_posix() in MODULES


def test_every_package_is_within_its_budget(root: Path) -> None:
    library = root / "src" / "tuneprobe"
    text = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    most = {name: (int(n), int(lines.replace(",", ""))) for name, n, lines in ROW.findall(text)}
    files, lines = Counter[str](), Counter[str]()
    for path in library.rglob("*.py"):
        place, size = path.relative_to(library), len(path.read_text(encoding="utf-8").splitlines())
        for name in (package(place), *([PRESENTATION] if is_shown(place) else [])):
            files[name] += 1
            lines[name] += size
    del files["studies"]  # its own __init__.py, which is empty
    over = {
        name: f"{files[name]} files and {lines[name]:,} lines, of {most.get(name, 'no budget')}"
        for name in files
        if files[name] > most.get(name, (0, 0))[0] or lines[name] > most[name][1]
    }
    assert not over, "lower it, or raise its row in ARCHITECTURE.md with the reason"
    assert set(most) == set(files), "a row of ARCHITECTURE.md is of no package"
