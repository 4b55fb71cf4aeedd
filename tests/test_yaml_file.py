"""YAML is read as DVC reads it; what is ambiguous or built to exhaust memory is one line."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tuneprobe.yaml_file import YamlFileError, parse_yaml, read_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP_BLOCK = "".join(" " * depth + "a:\n" for depth in range(500))


@pytest.mark.parametrize(
    "value",
    [
        *("3e-05", "1e5", "1E3", ".5", "1.", "-.inf", "1e400", "0x1F", "0o10", "010", "+1", "-7"),
        *("yes", "on", "No", "true", "FALSE", "~", "null", "1:30", "0x", "e5", "--1", "1.5.2"),
        *("'1'", '"a\\nb"', "[1, 2.0, x]", "{b: [1]}", "minilm-l6", "", "caf\u00e9"),
    ],
)
def test_a_value_is_what_dvc_takes_it_for(value: str) -> None:
    text = f"key: {value}"
    ours, dvcs = parse_yaml(text.encode(), "params.yaml"), YAML(typ="safe").load(text)
    assert ours == dvcs
    assert type(ours["key"]) is type(dvcs["key"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (LAUGHS, "p.yaml:6: holds more than 131,072 values"),
        ("a: &a [*a]", "the alias of this value lies within itself"),
        ("a: " + "[" * 100_000, "p.yaml:1: nested more than 40 levels"),
        (DEEP_BLOCK, "p.yaml:41: nested more than 40 levels"),
        ("a: 1 # " + "x" * (1 << 20), "more than 1,048,576 bytes"),
        (b"\xef\xbb\xbfa: 1", "byte order mark"),
        ("a: 1".encode("utf-16"), "byte order mark"),
        ("a: 1".encode("utf-16-le"), "not YAML"),
        ("a: caf\u00e9\n".encode("latin-1"), "p.yaml:1: not UTF-8"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "p.yaml:4: the key 'c' is there twice"),
        ("a: 1\n'a': 2", "p.yaml:2: the key 'a' is there twice"),
        ("a: 1\n---\na: 2", "expected a single document"),
        ("{1: 2}", "a key is not a text"),
        ("{true: 2}", "a key is not a text"),
        ("{[1]: 2}", "a key is not a text"),
        ("a: !!python/object/apply:os.system [touch x]", "the tag 'tag:yaml.org,2002:python/"),
        ("a: !!set {x}", "the tag 'tag:yaml.org,2002:set' is refused"),
        ("a: !mine x", "the tag '!mine' is refused"),
        ("a: !!int x", "a value that cannot be read"),
        ("a: !!bool x", "a value that cannot be read"),
        ("a: " + "9" * 5000, "a whole number of 5,000 digits"),
        ("a: 0x" + "f" * 5000, "a whole number of 5,002 digits"),
        ("a: [1", "is not YAML"),
        ("a: @x", "is not YAML"),
        ("a: *b", "undefined alias"),
        ("a: \x00", "control characters are not allowed"),
        ('a: "\\ud800"', "invalid Unicode"),
        ("", "expected keys and values at the top"),
        ("- 1", "expected keys and values at the top"),
        ("seed", "expected keys and values at the top"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_plain_yaml_is_one_line(content: str | bytes, says: str) -> None:
    with pytest.raises(YamlFileError) as error:
        parse_yaml(content if isinstance(content, bytes) else content.encode(), "p.yaml")
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_an_alias_that_is_used_twice_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("a: &a {rate: 1}\nb: *a\nc: *a\n")
    assert read_yaml(tmp_path / "p.yaml")["c"] == {"rate": 1}


def test_the_reader_stops_at_its_limit(tmp_path: Path) -> None:
    endless = Path("/dev/zero")
    with pytest.raises(YamlFileError, match="more than 10 bytes"):
        read_yaml(endless, max_bytes=10)


def test_no_other_module_parses_yaml(root: Path) -> None:
    def imported(file: Path) -> set[str]:
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
        return plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}

    files = [*(root / "src").rglob("*.py"), *(root / "stages").glob("*.py")]
    parsers = {file.name for file in files if imported(file) & {"yaml", "ruamel.yaml"}}
    assert parsers == {"yaml_file.py"}
