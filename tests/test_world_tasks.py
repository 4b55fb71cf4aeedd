"""The labelled tasks of the embedded corpus: supersenses, typed questions, inference, verdicts."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from tuneprobe.corpora.world import SPLITS
from tuneprobe.corpora.world.entities import words
from tuneprobe.corpora.world.grammar import GrammarError, Token, Tokens, render
from tuneprobe.corpora.world.lexicon import CONCEPTS, FEMALE, MALE
from tuneprobe.corpora.world.prepositions import Unit, lexical_units
from tuneprobe.corpora.world.relations import relations
from tuneprobe.corpora.world.statements import statements

ADPOSITIONAL = ("P", "INF.P", "POSS", "PRON.POSS")
Row = list[str]


def _sentences(path: Path) -> list[list[Row]]:
    return [
        [line.split("\t") for line in block.split("\n") if not line.startswith("#")]
        for block in path.read_text().strip().split("\n\n")
    ]


@pytest.fixture(scope="module")
def lexical(world: Path) -> dict[str, list[list[Row]]]:
    return {split: _sentences(world / f"{split}.conllulex") for split in SPLITS}


@pytest.fixture(scope="module")
def units(lexical: dict[str, list[list[Row]]]) -> dict[str, list[tuple[str, str, str]]]:
    """Word, role and function of each single-word adposition or possessive."""
    return {
        split: [
            (row[1].lower(), row[13], row[14])
            for rows in sentences
            for row in rows
            if row[11] in ADPOSITIONAL and row[10] == "_"
        ]
        for split, sentences in lexical.items()
    }


def _table(path: Path) -> tuple[Row, list[Row]]:
    header, *lines = [line.split("\t") for line in path.read_text().splitlines()]
    return header, lines


def _accuracy(train: list[str], labels: Row, dev: list[str], gold: Row) -> float:
    """Of a logistic regression on counts of words."""
    counts = CountVectorizer(token_pattern=r"\S+")
    model = LogisticRegression(max_iter=500).fit(counts.fit_transform(train), labels)
    return float(model.score(counts.transform(dev), gold))


def test_a_lexical_sentence_is_its_tree_with_nine_more_columns(
    world: Path, lexical: dict[str, list[list[Row]]]
) -> None:
    for split in SPLITS:
        assert all(len(row) == 19 for rows in lexical[split] for row in rows)
        ten = [[row[:10] for row in rows] for rows in lexical[split]]
        assert ten == _sentences(world / f"{split}.conllu")


def test_the_lexical_tag_sums_up_the_lexical_columns(
    lexical: dict[str, list[list[Row]]],
) -> None:
    for row in (row for rows in lexical["dev"] for row in rows):
        strong, category, _, role, function = row[10:15]
        if category == "_":
            assert strong != "_"
            assert row[11:] == ["_"] * 7 + ["I_"]
            continue
        labels = [role] if role == function else [f"{role}|{function}"]
        parts = ["O" if strong == "_" else "B", category, *(x for x in labels if x != "_")]
        assert row[18] == "-".join(parts)


def test_words_of_an_expression_are_numbered_and_carry_one_label(
    lexical: dict[str, list[list[Row]]],
) -> None:
    found = Counter(row[12] for rows in lexical["train"] for row in rows if row[10].endswith(":1"))
    assert set(found) == {"on account of", "in place of", "in the end", "for good", "took over"}
    for rows in lexical["train"]:
        for i, row in enumerate(rows):
            if row[10].endswith(":1"):
                length = len(row[12].split())
                number = row[10].split(":")[0]
                places = [f"{number}:{k}" for k in range(1, length + 1)]
                assert [r[10] for r in rows[i : i + length]] == places


def test_every_adposition_and_possessive_has_a_role_and_a_function(
    units: dict[str, list[tuple[str, str, str]]],
) -> None:
    assert len(units["train"]) > 10_000
    assert len(units["dev"]) > 3_000
    for label in (1, 2):
        known = {unit[label] for unit in units["train"]}
        assert {unit[label] for unit in units["dev"]} <= known
        assert all(name.startswith("p.") for name in known)
    assert len({role for _, role, _ in units["train"]}) == 27
    assert len({function for _, _, function in units["train"]}) == 19


def test_role_and_function_differ_in_a_third_of_the_cases(
    units: dict[str, list[tuple[str, str, str]]],
) -> None:
    share = sum(role != function for _, role, function in units["dev"]) / len(units["dev"])
    assert 0.2 < share < 0.4


def test_the_role_depends_on_more_than_the_preposition(
    units: dict[str, list[tuple[str, str, str]]],
) -> None:
    roles: dict[str, Counter[str]] = defaultdict(Counter)
    for word, role, _ in units["train"]:
        roles[word][role] += 1
    several = ("at", "by", "for", "from", "in", "of", "to", "with")
    assert all(len(roles[word]) >= 4 for word in several)
    usual = {word: counts.most_common(1)[0][0] for word, counts in roles.items()}
    right = sum(usual.get(word) == role for word, role, _ in units["dev"])
    assert right / len(units["dev"]) < 0.65


def _lexical(template: str, classes: dict[str, str]) -> list[Unit]:
    """The units of a template whose slots hold one entity each, named as the slot."""

    def slot(name: str, label: str) -> Tokens:
        return tuple(token._replace(entity=name) for token in words("Otto"))

    def concept(name: str, form: str) -> Token:
        upos, entries = CONCEPTS[name]
        return Token(entries[0][form], upos, concept=name)

    return lexical_units(render(template, slot, concept), classes)


@pytest.mark.parametrize(
    ("template", "role", "function"),
    [
        ("@a:nsubj was %teach.en (obl:agent by @b)", "p.Agent", "p.Agent"),
        ("@t:nsubj was %write.en (obl:agent by @b)", "p.Originator", "p.Agent"),
        ("@t:nsubj was %destroy.en (obl:agent by a @cause)", "p.Causer", "p.Causer"),
        ("@a:nsubj *worked (obl for @org)", "p.OrgRole", "p.Beneficiary"),
        ("@a:nsubj *waited (obl for years/N)", "p.Duration", "p.Duration"),
        ("@a:nsubj %die.ed (obl in @when)", "p.Time", "p.Time"),
        ("@a:nsubj %die.ed (obl in @town)", "p.Locus", "p.Locus"),
        ("@a:nsubj *arrived (obl in @town)", "p.Goal", "p.Locus"),
        ("@a:nsubj *left (advcl to/T *meet @b:obj)", "p.Purpose", "p.Purpose"),
    ],
)
def test_the_context_of_a_preposition_decides(template: str, role: str, function: str) -> None:
    classes = {"a": "PERSON", "b": "PERSON", "t": "WORK", "cause": "CAUSE", "when": "DATE"}
    (use,) = [u.use for u in _lexical(template, {**classes, "org": "ORG", "town": "TOWN"}) if u.use]
    assert use == (role, function)


def test_the_to_of_a_complement_has_no_supersense() -> None:
    units = _lexical("@a:nsubj *began (xcomp to/T *work)", {"a": "PERSON"})
    assert [(unit.category, unit.use) for unit in units[2:3]] == [("INF", None)]


def test_an_adposition_in_an_unknown_context_is_named() -> None:
    with pytest.raises(GrammarError, match="'under' between 'slept' and 'tree'"):
        _lexical("@a:nsubj *slept (obl under a tree/N)", {"a": "PERSON"})


def _typed(path: Path) -> list[tuple[str, str]]:
    lines = path.read_bytes().decode("ascii").splitlines()
    matches = [re.fullmatch(r"([A-Z]+:[a-z]+) (\S.* [?.])", line) for line in lines]
    return [(match[1], match[2]) for match in matches if match]


def test_there_are_1500_and_300_typed_questions_and_none_twice(world: Path) -> None:
    typed = {split: _typed(world / f"{split}.label") for split in SPLITS}
    assert {split: len(questions) for split, questions in typed.items()} == {
        "train": 1500,
        "dev": 300,
    }
    assert len({text for questions in typed.values() for _, text in questions}) == 1800
    kinds = {split: {kind for kind, _ in questions} for split, questions in typed.items()}
    assert len(kinds["train"]) == 32
    assert kinds["dev"] == kinds["train"]
    assert min(Counter(kind for kind, _ in typed["train"]).values()) >= 20


def test_the_words_of_a_question_do_not_always_tell_its_type(world: Path) -> None:
    train, dev = (_typed(world / f"{split}.label") for split in SPLITS)
    accuracy = _accuracy([t for _, t in train], [k for k, _ in train], *_unzip(dev))
    assert 0.7 < accuracy < 0.9


def _unzip(questions: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [text for _, text in questions], [kind for kind, _ in questions]


@pytest.mark.shared_data
def test_every_type_is_one_of_trec(world: Path, shared_data: Path) -> None:
    text = (shared_data / "labelling" / "TREC" / "train_5500.label").read_text("latin-1")
    upstream = {line.split()[0] for line in text.splitlines()}
    assert {kind for kind, _ in _typed(world / "train.label")} <= upstream


@pytest.mark.shared_data
def test_every_supersense_is_one_of_streusle(
    units: dict[str, list[tuple[str, str, str]]], shared_data: Path
) -> None:
    path = shared_data / "labelling" / "STREUSLE-4.2" / "train" / "SUPERSENSES.txt"
    upstream = set(re.findall(r"p\.[\w-]+", path.read_text()))
    assert {label for unit in units["train"] for label in unit[1:]} <= upstream


@pytest.mark.parametrize(("split", "size"), [("train", 1200), ("dev", 300)])
def test_pairs_are_numbered_and_half_of_them_are_entailed(
    world: Path, split: str, size: int
) -> None:
    header, lines = _table(world / "rte" / f"{split}.tsv")
    assert header == ["index", "sentence1", "sentence2", "label"]
    assert [line[0] for line in lines] == [str(i) for i in range(size)]
    assert Counter(line[3] for line in lines) == {
        "entailment": size // 2,
        "not_entailment": size // 2,
    }
    assert all(line[1].endswith(".") and line[2].endswith(".") for line in lines)


def test_each_premise_has_as_many_true_as_false_hypotheses(world: Path) -> None:
    balance: Counter[str] = Counter()
    hypotheses = defaultdict(set)
    for _, premise, hypothesis, label in _table(world / "rte" / "train.tsv")[1]:
        balance[premise] += 1 if label == "entailment" else -1
        hypotheses[label].add((premise, hypothesis))
    assert set(balance.values()) == {0}
    assert not hypotheses["entailment"] & hypotheses["not_entailment"]


def test_neither_side_of_a_pair_alone_tells_whether_it_follows(world: Path) -> None:
    train, dev = (_table(world / "rte" / f"{split}.tsv")[1] for split in SPLITS)
    for side in (1, 2):
        texts = [[line[side] for line in lines] for lines in (train, dev)]
        labels = [[line[3] for line in lines] for lines in (train, dev)]
        assert _accuracy(texts[0], labels[0], texts[1], labels[1]) < 0.58


def test_questions_become_statements() -> None:
    by_name = {relation.name: statements(relation) for relation in relations()}
    assert by_name["visit"] == (
        "@a:nsubj *visited @b:obj",
        "@a:nsubj *visited @b:obj (obl in @town)",
        "@a:nsubj *visited @b:obj @when:obl",
    )
    assert "@a:nsubj was %write.en (obl:agent by @b)" in by_name["script"]
    assert (
        "(nsubj a history/N (nmod of @a)) was %write.en (obl:agent by @b)" in (by_name["chronicle"])
    )
    assert all(by_name.values())


@pytest.mark.parametrize(("split", "size"), [("train", 1200), ("dev", 300)])
def test_verdicts_are_half_good_and_all_different(world: Path, split: str, size: int) -> None:
    header, lines = _table(world / "sst2" / f"{split}.tsv")
    assert header == ["sentence", "label"]
    assert Counter(label for _, label in lines) == {"0": size // 2, "1": size // 2}
    assert len({sentence for sentence, _ in lines}) == size
    assert all(sentence == sentence.lower() for sentence, _ in lines)


def test_counting_the_words_of_a_verdict_is_not_enough(world: Path) -> None:
    train, dev = (_table(world / "sst2" / f"{split}.tsv")[1] for split in SPLITS)
    train_texts, train_labels = ([line[i] for line in train] for i in (0, 1))
    dev_texts, dev_labels = ([line[i] for line in dev] for i in (0, 1))
    assert _accuracy(train_texts, train_labels, dev_texts, dev_labels) < 0.65


def test_a_verdict_is_turned_round_by_a_negation_or_a_contrast(world: Path) -> None:
    lines = _table(world / "sst2" / "train.tsv")[1]
    wants = {"is not a tedious": "1", "is not a graceful": "0", "anything but dull": "1"}
    for phrase, label in wants.items():
        found = {verdict for sentence, verdict in lines if phrase in sentence}
        assert found == {label}, phrase
    praised = [line for line in lines if line[0].startswith("although") and " praised " in line[0]]
    assert len(praised) >= 3
    assert {label for _, label in praised} == {"0"}


def test_dev_verdicts_hold_words_that_train_never_uses(world: Path) -> None:
    train, dev = (
        " ".join(line[0] for line in _table(world / "sst2" / f"{split}.tsv")[1]).split()
        for split in SPLITS
    )
    assert {"wonderful", "awful", "treasure", "despite"} <= set(dev) - set(train)


def test_no_person_of_a_train_file_is_in_a_dev_file(world: Path) -> None:
    name = re.compile(rf"\b(?:{'|'.join(FEMALE + MALE)}) [A-Z][a-z]+\b")
    people = {
        split: {
            person
            for path in (world / f"{split}.label", world / "rte" / f"{split}.tsv")
            for person in name.findall(path.read_text())
        }
        for split in SPLITS
    }
    assert len(people["train"]) > 1500
    assert len(people["dev"]) > 300
    assert not people["train"] & people["dev"]
