"""A WordNet of five synsets, in the format of the database files."""

from pathlib import Path

LICENCE = "  1 This software and database is being provided to you, the LICENSEE, by  \n"
INDEX = {
    "noun": [
        "cinema n 2 1 @ 2 0 00000001 00000002",
        "film n 1 2 @ + 1 1 00000001",
        "house n 1 0 1 0 00000002",
        "movie n 1 1 @ 1 0 00000001",
    ],
    "verb": ["film v 1 1 @ 1 0 00000001", "shoot v 1 0 1 0 00000001"],
    "adj": ["big a 1 1 & 1 1 00000007", "large a 1 1 & 1 1 00000007"],
    "adv": ["now r 1 0 1 1 00000009"],
}


def write_wordnet(folder: Path) -> Path:
    """Write the four index files; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in INDEX.items():
        text = LICENCE + "".join(f"{line}  \n" for line in lines)
        (folder / f"index.{name}").write_text(text)
    return folder
