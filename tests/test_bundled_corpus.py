"""The bundled English-French corpus: its files, and the grammar that writes them."""

import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data" / "en-fr"
sys.path.insert(0, str(ROOT / "scripts"))

from corpus import english_verbs, french_verbs  # noqa: E402
from corpus.fixed import fixed_sentences  # noqa: E402
from corpus.lexicon import entries  # noqa: E402
from corpus.meaning import BE, Clause, Modal, Np, glue, named, pair, piece, pronoun, replace  # noqa: E402
from corpus.modifiers import ADJECTIVES, ADVERBS, agree  # noqa: E402
from corpus.nouns import NAMES, NOUNS  # noqa: E402
from corpus.numbers import english_number, feminine, french_number  # noqa: E402
from corpus.plans import EST_CE_QUE, PLANS, act, be, have_state  # noqa: E402
from corpus.plans_life import counted, euros, near  # noqa: E402
from corpus.sentence import Sentence, finish  # noqa: E402
from corpus.split import surface_forms  # noqa: E402
from corpus.verbs import FRAMES  # noqa: E402
from corpus.words import Bi, split_words  # noqa: E402
from corpus.world import MODALS, World, clause_bi, phrase  # noqa: E402

PARTS = ("train", "valid", "test")


def lines(name: str) -> list[str]:
    """The lines of a file of the corpus."""
    return (DATA / name).read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def texts() -> dict[str, list[str]]:
    """The text files by name."""
    return {f"{part}.{side}": lines(f"{part}.{side}") for part in PARTS for side in ("en", "fr")}


# the files


def test_regeneration_gives_the_same_bytes(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, str(ROOT / "scripts" / "make_corpus.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path)
    names = sorted(path.name for path in DATA.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in names if (DATA / name).read_bytes() != (tmp_path / name).read_bytes()] == []


def test_counts(texts: dict[str, list[str]]) -> None:
    sizes = {"train": 20_000, "valid": 1_000, "test": 1_000}
    assert {part: len(texts[f"{part}.en"]) for part in PARTS} == sizes
    assert {part: len(texts[f"{part}.fr"]) for part in PARTS} == sizes
    assert {part: len(lines(f"{part}.align")) for part in PARTS} == sizes
    assert len(lines("test.recombined")) == 250


def test_no_leak_and_no_duplicates(texts: dict[str, list[str]]) -> None:
    for side in ("en", "fr"):
        held = texts[f"valid.{side}"] + texts[f"test.{side}"]
        assert len(set(held)) == len(held)
        assert not set(held) & set(texts[f"train.{side}"])
    pairs = list(zip(texts["train.en"], texts["train.fr"], strict=True))
    assert len(set(pairs)) == len(pairs)


def test_source_determines_target(texts: dict[str, list[str]]) -> None:
    seen: dict[str, str] = {}
    for part in PARTS:
        for en, fr in zip(texts[f"{part}.en"], texts[f"{part}.fr"], strict=True):
            assert seen.setdefault(en, fr) == fr, en


def test_lengths(texts: dict[str, list[str]]) -> None:
    lengths = {name: [len(split_words(line)) for line in found] for name, found in texts.items()}
    assert all(2 <= length <= 60 for found in lengths.values() for length in found)
    train = lengths["train.en"]
    assert sum(15 <= length <= 30 for length in train) > 0.2 * len(train)
    assert sum(length > 35 for length in train) > 0.02 * len(train)
    assert max(train) >= 50


def test_held_out_words_are_known(texts: dict[str, list[str]]) -> None:
    for side in ("en", "fr"):
        known = Counter(word for line in texts[f"train.{side}"] for word in split_words(line))
        held = {word for part in ("valid", "test") for line in texts[f"{part}.{side}"] for word in split_words(line)}
        assert sorted(word for word in held if known[word] < 3) == []


def test_text_is_clean(texts: dict[str, list[str]]) -> None:
    for name, found in texts.items():
        for line in found:
            assert line == line.strip() and "  " not in line and line[0] == line[0].upper(), line
            assert not re.search(r"[’“”\u00a0\t]|n't|'m ", line), line
            assert line[-1] in ".?!", line
            if name.endswith("fr"):
                assert not re.search(r"[^ ][?!;:]|\s[.,]", line), line
            else:
                assert not re.search(r"\s[?!;:.,]|\b[Aa] [aeioAEIO]|\b[Aa]n [^aeiouhAEIOU]", line), line


def test_demo_phrases_are_taught(texts: dict[str, list[str]]) -> None:
    taught = dict(zip(texts["train.en"], texts["train.fr"], strict=True))
    assert taught["I love you."] == "Je t'aime."
    assert taught["Hello!"] == "Bonjour !"
    assert taught["Good morning."] == "Bonjour."
    assert taught["Thank you very much."] == "Merci beaucoup."
    assert taught["How are you?"] == "Comment vas-tu ?"
    assert all(taught[sentence.en] == sentence.fr for sentence in fixed_sentences())


def test_lexicon_and_plans() -> None:
    assert len(entries()) >= 500
    assert len(PLANS) >= 60


def content_words() -> dict[str, list[str]]:
    """The lexicon keys of each English form of single-word nouns, verbs and adjectives."""
    keys = [f"noun:{noun}" for noun in NOUNS] + [f"adj:{adjective}" for adjective in ADJECTIVES]
    keys += [f"verb:{frame.en}" for frame in FRAMES if frame.en != "be"]
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for key in keys if " " not in key):
        for form in surface_forms(key):
            found.setdefault(form, []).append(key)
    return found


def test_recombined_pairs_never_meet_in_training(texts: dict[str, list[str]]) -> None:
    content = content_words()
    places: dict[str, set[int]] = {}
    for number, line in enumerate(texts["train.en"] + texts["valid.en"]):
        for word in split_words(line.lower()):
            for key in content.get(word, []):
                places.setdefault(key, set()).add(number)
    for index in lines("test.recombined"):
        words = split_words(texts["test.en"][int(index) - 1].lower())
        keys = [key for word in words for key in content.get(word, [])]
        apart = [(a, b) for a in keys for b in keys if a < b and not places.get(a, set()) & places.get(b, set())]
        assert any(len(places[a]) >= 15 and len(places[b]) >= 15 for a, b in apart), words


# spelling on the committed text

ASPIRATED = {"haricot", "haricots", "haine", "héros", "hibou", "huit", "honte", "haut"}
UNELIDED = {"onze", "oui"}
VOWELS = tuple("aeiouyàâéèêîôûœAEIOUYÀÂÉÈÊÎÔÛŒ")
ELIDABLE = {"le", "la", "je", "me", "te", "se", "ne", "de", "que"}
INFINITIVES = {frame.fr.removeprefix("se ").removeprefix("s'").split()[0] for frame in FRAMES}


SINGULAR = {noun.fr for noun in NOUNS.values() if noun.gender == "m"}


def vowel(word: str) -> bool:
    if word[0] in "hH":
        return word.lower() not in ASPIRATED
    return word.startswith(VOWELS) and word not in UNELIDED


def french_trigrams(texts: dict[str, list[str]]) -> list[tuple[str, str, str, str]]:
    """Previous word, word, next word and the one after, over all French text."""
    found = []
    for part in PARTS:
        for line in texts[f"{part}.fr"]:
            words = ["", *split_words(line), ""]
            found += list(zip(words, words[1:], words[2:], [*words[3:], ""], strict=False))
    return found


def test_elision(texts: dict[str, list[str]]) -> None:
    for before, word, after, _ in french_trigrams(texts):
        if not after or not after[0].isalpha():
            continue
        assert not (word.lower() in ELIDABLE and before != "-" and vowel(after)), (word, after)
        assert not (word.lower() == "ce" and after in ("est", "était")) or before == "-", (word, after)
        assert not (word.lower() == "si" and after in ("il", "ils")), (word, after)
        assert not (word.endswith("'") and not vowel(after)), (word, after)
        assert not (word.lower() in ("ma", "ta", "sa") and vowel(after)), (word, after)
        assert not (word in ("beau", "nouveau", "vieux") and after in SINGULAR and vowel(after)), (word, after)


def test_contraction(texts: dict[str, list[str]]) -> None:
    for _, word, after, later in french_trigrams(texts):
        if word.lower() in ("de", "à") and after in ("le", "les"):
            assert later in INFINITIVES | {"lui", "leur"}, (word, after, later)


def test_two_part_negation(texts: dict[str, list[str]]) -> None:
    negative = {"pas", "jamais", "plus", "rien", "personne"}
    for part in PARTS:
        for line in texts[f"{part}.fr"]:
            words = [word.lower() for word in split_words(line)]
            if "ne" in words or "n'" in words:
                assert negative & set(words), line


# the grammar, on hand-written sentences

WORLD = World(random.Random(0))
ME, YOU, HE, SHE, WE, THEY = (pronoun(0), pronoun(1), pronoun(2), pronoun(2, "f"), pronoun(3), pronoun(5))
SIR = pronoun(4)
IT, THEM = pronoun(2, "m", False), pronoun(5, "m", False)
MARIE, PAUL = named("Marie", "f"), named("Paul", "m")


def noun(name: str, det: str = "the", plural: bool = False, *adjectives: str, owner: int = 0, number: int = 0) -> Np:
    """A noun phrase with given adjectives."""
    made = WORLD.noun(name, det, plural, (owner, "m"), 0.0, number)
    return replace(made, adjectives=tuple(ADJECTIVES[adjective] for adjective in adjectives))


def do(subject: Np, verb: str, tense: str, thing: Np | None = None, french: str = "", **more: object) -> Clause:
    """A clause with a given verb and object."""
    return replace(act(WORLD, subject, verb, tense, french=french), object=thing, **more)


def can(name: str) -> tuple[Modal, ...]:
    return (MODALS[name],)


def to(place: str) -> tuple[Bi, ...]:
    return (WORLD_PLAIN.location(place, True),)


class Plain(World):
    """A world that adds no adjectives."""

    def chance(self, probability: float) -> bool:
        return False


WORLD_PLAIN = Plain(random.Random(0))


def asked(clause: Clause) -> Bi:
    return glue(EST_CE_QUE, clause_bi(replace(clause, question="yes")))


def gone(gap: Np, clause: Clause) -> Bi:
    return glue(phrase(gap), EST_CE_QUE, clause_bi(replace(clause, gap=gap, question="wh")))


GOLDEN: list[tuple[Bi | Clause, str, str]] = [
    (do(ME, "love", "present", YOU), "I love you.", "Je t'aime."),
    (do(ME, "see", "present", THEM), "I see them.", "Je les vois."),
    (do(SHE, "give", "present", IT, recipient=HE), "She gives it to him.", "Elle le lui donne."),
    (do(ME, "see", "perfect", THEM), "I have seen them.", "Je les ai vus."),
    (do(ME, "see", "past", pronoun(2, "f")), "I saw her.", "Je l'ai vue."),
    (do(ME, "see", "present", IT, chain=can("want")), "I want to see it.", "Je veux le voir."),
    (do(HE, "see", "present", WE, negation="not"), "He does not see us.", "Il ne nous voit pas."),
    (do(HE, "see", "past", YOU, negation="never"), "He never saw you.", "Il ne t'a jamais vu."),
    (do(SHE, "go", "past", adjuncts=to("cinema")), "She went to the cinema.", "Elle est allée au cinéma."),
    (do(THEY, "leave", "past", french="partir"), "They left.", "Ils sont partis."),
    (do(MARIE, "get up", "past"), "Marie got up.", "Marie s'est levée."),
    (do(pair(MARIE, named("Anne", "f")), "arrive", "past"), "Marie and Anne arrived.", "Marie et Anne sont arrivées."),
    (do(pair(MARIE, PAUL), "arrive", "past"), "Marie and Paul arrived.", "Marie et Paul sont arrivés."),
    (do(PAUL, "have", "present", noun("car", "a", False, "beautiful", "red")), "Paul has a beautiful red car.",
     "Paul a une belle voiture rouge."),
    (do(WE, "buy", "past", noun("house", "some", True, "old")), "We bought some old houses.",
     "Nous avons acheté de vieilles maisons."),
    (do(ME, "see", "past", noun("tree", "a", False, "beautiful")), "I saw a beautiful tree.", "J'ai vu un bel arbre."),
    (do(ME, "see", "past", noun("bird", "a", False, "old")), "I saw an old bird.", "J'ai vu un vieil oiseau."),
    (do(ME, "want", "present", noun("computer", "a", False, "new")), "I want a new computer.",
     "Je veux un nouvel ordinateur."),
    (do(HE, "sell", "future", noun("horse", "number", True, "white", number=3)), "He will sell three white horses.",
     "Il vendra trois chevaux blancs."),
    (do(SHE, "need", "present", noun("money", "some")), "She needs some money.", "Elle a besoin d'argent."),
    (do(SHE, "need", "present", IT), "She needs it.", "Elle en a besoin."),
    (do(WE, "think about", "present", IT), "We think about it.", "Nous y pensons."),
    (do(WE, "think about", "present", SHE), "We think about her.", "Nous pensons à elle."),
    (do(ME, "talk to", "past", SHE), "I talked to her.", "Je lui ai parlé."),
    (do(ME, "talk to", "future", noun("child", "the", True)), "I will talk to the children.",
     "Je parlerai aux enfants."),
    (do(THEY, "talk about", "present", noun("problem")), "They talk about the problem.", "Ils parlent du problème."),
    (do(HE, "drink", "present", noun("water", "some"), negation="not"), "He does not drink any water.",
     "Il ne boit pas d'eau."),
    (do(HE, "drink", "present", noun("milk", "some")), "He drinks some milk.", "Il boit du lait."),
    (do(HE, "eat", "present", noun("bean", "the", True)), "He eats the beans.", "Il mange les haricots."),
    (do(ME, "love", "present", noun("school", "my")), "I love my school.", "J'aime mon école."),
    (do(ME, "see", "past", noun("hotel", "this")), "I saw this hotel.", "J'ai vu cet hôtel."),
    (do(noun("hero"), "see", "present", noun("man")), "The hero sees the man.", "Le héros voit l'homme."),
    (do(SHE, "take off", "past", IT), "She took it off.", "Elle l'a enlevé."),
    (do(SHE, "like", "present", noun("apple", "generic", True)), "She likes apples.", "Elle aime les pommes."),
    (do(YOU, "eat", "present", noun("soup"), adverb=ADVERBS["slowly"]), "You eat the soup slowly.",
     "Tu manges lentement la soupe."),
    (do(SHE, "sleep", "past", adverb=ADVERBS["well"]), "She slept well.", "Elle a bien dormi."),
    (do(PAUL, "sing", "present", adverb=ADVERBS["often"]), "Paul often sings.", "Paul chante souvent."),
    (be(noun("brother", "my"), "tall", "present", "more", PAUL), "My brother is taller than Paul.",
     "Mon frère est plus grand que Paul."),
    (be(noun("shoe", "my", True), "white"), "My shoes are white.", "Mes chaussures sont blanches."),
    (be(noun("girl", "the", True), "happy", "past"), "The girls were happy.", "Les filles étaient heureuses."),
    (be(noun("eye", "my", True, owner=2), "blue"), "His eyes are blue.", "Ses yeux sont bleus."),
    (have_state(SHE, piece("hungry", "faim"), "past"), "She was hungry.", "Elle avait faim."),
    (do(PAUL, "call", "imperative", negation="not", thing=THEM), "Do not call them.", "Ne les appelle pas."),
    (do(YOU, "give", "imperative", IT, recipient=ME), "Give it to me.", "Donne-le-moi."),
    (do(SIR, "finish", "future", noun("report", "this")), "You will finish this report.", "Vous finirez ce rapport."),
    (do(ME, "go home", "present", chain=can("be going")), "I am going to go home.", "Je vais rentrer."),
    (do(WE, "eat", "present", chain=can("just")), "We have just eaten.", "Nous venons de manger."),
    (do(HE, "sell", "past", noun("car"), chain=can("decide"), without=True), "He decided not to sell the car.",
     "Il a décidé de ne pas vendre la voiture."),
    (do(SHE, "come", "present", chain=can("can"), negation="not"), "She cannot come.", "Elle ne peut pas venir."),
    (do(THEY, "travel", "conditional"), "They would travel.", "Ils voyageraient."),
    (do(WE, "swim", "used"), "We used to swim.", "Nous nagions."),
    (do(ME, "cost", "present", adjuncts=(euros(71),), thing=None), "I cost seventy-one euros.",
     "Je coûte soixante et onze euros."),
    (do(WE, "wait", "past", adjuncts=(piece("for", "pendant"), counted(21, "hour"))), "We waited for twenty-one hours.",
     "Nous avons attendu pendant vingt et une heures."),
    (near(WORLD, noun("cinema"), (("next to", "à côté de"),)), "Next to the cinema.", "À côté du cinéma."),
    (near(WORLD, noun("school"), (("far from", "loin de"),)), "Far from the school.", "Loin de l'école."),
]  # fmt: skip

QUESTIONS: list[tuple[Bi, str, str]] = [
    (asked(do(YOU, "see", "past", noun("film"))), "Did you see the film?", "Est-ce que tu as vu le film ?"),
    (asked(do(SHE, "have", "present", noun("dog", "a"))), "Does she have a dog?", "Est-ce qu'elle a un chien ?"),
    (gone(noun("apple", "how many", True), do(YOU, "eat", "past", noun("apple"))), "How many apples did you eat?",
     "Combien de pommes est-ce que tu as mangées ?"),
    (gone(noun("letter", "which", True), do(HE, "write", "past", noun("letter"))), "Which letters did he write?",
     "Quelles lettres est-ce qu'il a écrites ?"),
    (clause_bi(do(Np("who", name=("who", "qui")), "break", "past", noun("window"), question="wh")),
     "Who broke the window?", "Qui a cassé la fenêtre ?"),
]  # fmt: skip


def sentence(parts: Bi | Clause, sign: str = ".") -> Sentence:
    return finish(clause_bi(parts) if isinstance(parts, Clause) else parts, sign)


@pytest.mark.parametrize(("parts", "en", "fr"), GOLDEN, ids=[en for _, en, _ in GOLDEN])
def test_golden_sentences(parts: Bi | Clause, en: str, fr: str) -> None:
    assert sentence(parts)[:2] == (en, fr)


@pytest.mark.parametrize(("parts", "en", "fr"), QUESTIONS, ids=[en for _, en, _ in QUESTIONS])
def test_golden_questions(parts: Bi, en: str, fr: str) -> None:
    assert sentence(parts, "?")[:2] == (en, fr)


def test_when_takes_the_future_and_although_the_subjunctive() -> None:
    when = clause_bi(do(ME, "arrive", "when"))
    assert sentence(glue(piece("when", "quand"), when))[:2] == ("When I arrive.", "Quand j'arriverai.")
    cold = have_state(SHE, piece("cold", "froid"))
    said = Bi(clause_bi(cold).en, clause_bi(replace(cold, tense="subjunctive")).fr)
    assert sentence(glue(piece("although", "bien que"), said)).fr == "Bien qu'elle ait froid."


NUMBERS = {
    0: "zéro", 16: "seize", 21: "vingt et un", 70: "soixante-dix", 71: "soixante et onze", 77: "soixante-dix-sept",
    80: "quatre-vingts", 81: "quatre-vingt-un", 91: "quatre-vingt-onze", 99: "quatre-vingt-dix-neuf", 100: "cent",
    200: "deux cents", 250: "deux cent cinquante", 1000: "mille", 1984: "mille neuf cent quatre-vingt-quatre",
}  # fmt: skip


def test_numbers() -> None:
    assert {value: french_number(value) for value in NUMBERS} == NUMBERS
    assert english_number(71) == "seventy-one"
    assert english_number(250) == "two hundred and fifty"
    assert feminine(french_number(31)) == "trente et une"


def test_clock_times() -> None:
    class Fixed:
        """Stands in for a random source: one hour, one minute."""

        def __init__(self, hour: int, minute: int) -> None:
            self.values = (hour, minute)

        def randrange(self, *_: int) -> int:
            return self.values[0]

        def choice(self, _: object) -> int:
            return self.values[1]

    from corpus.plans_life import clock_time

    expected = {
        (3, 30): ("Half past three.", "Trois heures et demie."),
        (4, 45): ("Quarter to four.", "Quatre heures moins le quart."),
        (6, 10): ("Ten past six.", "Six heures dix."),
        (8, 35): ("Twenty-five to eight.", "Huit heures moins vingt-cinq."),
        (1, 0): ("One o'clock.", "Une heure."),
        (12, 0): ("Noon.", "Midi."),
    }
    for (hour, minute), texts in expected.items():
        world = World(Fixed(hour, minute))  # type: ignore[arg-type]
        assert sentence(clock_time(world))[:2] == texts


# infinitive: present (six), imparfait je / nous, futur je, conditionnel il, subjonctif ils, participle
CONJUGATIONS = {
    "être": "suis es est sommes êtes sont étais étions serai serait soient été",
    "avoir": "ai as a avons avez ont avais avions aurai aurait aient eu",
    "aller": "vais vas va allons allez vont allais allions irai irait aillent allé",
    "faire": "fais fais fait faisons faites font faisais faisions ferai ferait fassent fait",
    "venir": "viens viens vient venons venez viennent venais venions viendrai viendrait viennent venu",
    "pouvoir": "peux peux peut pouvons pouvez peuvent pouvais pouvions pourrai pourrait puissent pu",
    "vouloir": "veux veux veut voulons voulez veulent voulais voulions voudrai voudrait veuillent voulu",
    "devoir": "dois dois doit devons devez doivent devais devions devrai devrait doivent dû",
    "savoir": "sais sais sait savons savez savent savais savions saurai saurait sachent su",
    "voir": "vois vois voit voyons voyez voient voyais voyions verrai verrait voient vu",
    "prendre": "prends prends prend prenons prenez prennent prenais prenions prendrai prendrait prennent pris",
    "dire": "dis dis dit disons dites disent disais disions dirai dirait disent dit",
    "boire": "bois bois boit buvons buvez boivent buvais buvions boirai boirait boivent bu",
    "écrire": "écris écris écrit écrivons écrivez écrivent écrivais écrivions écrirai écrirait écrivent écrit",
    "manger": "mange manges mange mangeons mangez mangent mangeais mangions mangerai mangerait mangent mangé",
    "commencer": "commence commences commence commençons commencez commencent commençais commencions commencerai "
    "commencerait commencent commencé",
    "acheter": "achète achètes achète achetons achetez achètent achetais achetions achèterai achèterait achètent "
    "acheté",
    "appeler": "appelle appelles appelle appelons appelez appellent appelais appelions appellerai appellerait "
    "appellent appelé",
    "préférer": "préfère préfères préfère préférons préférez préfèrent préférais préférions préférerai préférerait "
    "préfèrent préféré",
    "finir": "finis finis finit finissons finissez finissent finissais finissions finirai finirait finissent fini",
    "vendre": "vends vends vend vendons vendez vendent vendais vendions vendrai vendrait vendent vendu",
    "nettoyer": "nettoie nettoies nettoie nettoyons nettoyez nettoient nettoyais nettoyions nettoierai nettoierait "
    "nettoient nettoyé",
    "ouvrir": "ouvre ouvres ouvre ouvrons ouvrez ouvrent ouvrais ouvrions ouvrirai ouvrirait ouvrent ouvert",
    "envoyer": "envoie envoies envoie envoyons envoyez envoient envoyais envoyions enverrai enverrait envoient envoyé",
}


@pytest.mark.parametrize("verb", CONJUGATIONS)
def test_french_conjugation(verb: str) -> None:
    form = french_verbs.conjugate
    made = [form(verb, "present", person) for person in range(6)]
    made += [form(verb, "imperfect", 0), form(verb, "imperfect", 3), form(verb, "future", 0)]
    made += [form(verb, "conditional", 2), form(verb, "subjunctive", 5), french_verbs.participle(verb)]
    assert made == CONJUGATIONS[verb].split()


def test_imperatives() -> None:
    form = french_verbs.conjugate
    assert [form("manger", "imperative", p) for p in (1, 3, 4)] == ["mange", "mangeons", "mangez"]
    assert [form("finir", "imperative", p) for p in (1, 3, 4)] == ["finis", "finissons", "finissez"]
    assert [form("aller", "imperative", p) for p in (1, 3, 4)] == ["va", "allons", "allez"]
    assert form("ouvrir", "imperative", 1) == "ouvre"


def test_english_forms() -> None:
    assert [english_verbs.third(v) for v in ("go", "wash", "carry", "have")] == ["goes", "washes", "carries", "has"]
    assert [english_verbs.past(v) for v in ("buy", "carry", "travel")] == ["bought", "carried", "travelled"]
    assert [english_verbs.gerund(v) for v in ("run", "take", "study")] == ["running", "taking", "studying"]


def test_irregular_plurals() -> None:
    plurals = {"horse": "chevaux", "eye": "yeux", "cake": "gâteaux", "newspaper": "journaux", "knee": "genoux"}
    assert {name: NOUNS[name].fr_plural for name in plurals} == plurals
    assert [NOUNS[name].en_plural for name in ("child", "man", "foot", "knife")] == [
        "children",
        "men",
        "feet",
        "knives",
    ]
    assert agree(ADJECTIVES["beautiful"], "m", True) == "beaux"
    assert agree(ADJECTIVES["happy"], "f", True) == "heureuses"


# alignments


def test_split_words() -> None:
    assert split_words("Je t'aime.") == ["Je", "t'", "aime", "."]
    assert split_words("Comment vas-tu ?") == ["Comment", "vas", "-", "tu", "?"]
    assert split_words("Twenty-one o'clock!") == ["Twenty", "-", "one", "o'", "clock", "!"]


ALIGNED = [
    (do(ME, "love", "present", YOU), "0-0 1-2 2-1 3-3"),
    (do(SHE, "give", "present", IT, recipient=HE), "0-0 1-3 2-1 3-2 4-2 5-4"),
    (do(ME, "see", "present", IT, chain=can("want")), "0-0 1-1 2-3 3-3 4-2 5-4"),
    (do(HE, "see", "present", WE, negation="not"), "0-0 1-3 2-1 2-4 3-3 4-2 5-5"),
    (do(ME, "see", "past", THEM), "0-0 1-2 1-3 2-1 3-4"),
    (do(SHE, "go", "past", adjuncts=to("cinema")), "0-0 1-1 1-2 2-3 3-3 4-4 5-5"),
    (do(PAUL, "have", "present", noun("car", "a", False, "beautiful", "red")), "0-0 1-1 2-2 3-3 4-5 5-4 6-6"),
    (do(HE, "drink", "future", noun("milk", "some")), "0-0 1-1 2-1 3-2 4-3 5-4"),
]


@pytest.mark.parametrize(("clause", "links"), ALIGNED)
def test_golden_alignments(clause: Clause, links: str) -> None:
    assert sentence(clause).pharaoh() == links


def test_fixed_alignments() -> None:
    found = {made.en: made.pharaoh() for made in fixed_sentences()}
    assert found["I love you."] == "0-0 1-2 2-1 3-3"
    assert found["Good morning."] == "0-0 1-0 2-1"


def aligned_pairs(part: str) -> list[tuple[list[str], list[str], list[tuple[int, int]]]]:
    """Words of both sides and links of a part."""
    found = []
    rows = zip(lines(f"{part}.en"), lines(f"{part}.fr"), lines(f"{part}.align"), strict=True)
    for en, fr, links in rows:
        pairs = [(int(i), int(j)) for i, j in (link.split("-") for link in links.split())]
        found.append((split_words(en), split_words(fr), pairs))
    return found


@pytest.mark.parametrize("part", ["valid", "test"])
def test_links_are_in_range_and_sorted(part: str) -> None:
    for en, fr, links in aligned_pairs(part):
        assert links and links == sorted(set(links))
        assert all(0 <= i < len(en) and 0 <= j < len(fr) for i, j in links)
        assert (len(en) - 1, len(fr) - 1) in links


@pytest.mark.parametrize("part", ["valid", "test"])
def test_names_link_to_themselves(part: str) -> None:
    names = {name for name, _ in NAMES}
    for en, fr, links in aligned_pairs(part):
        for i, word in enumerate(en):
            if word in names:
                assert [fr[j] for k, j in links if k == i] == [word]


@pytest.mark.parametrize("part", ["valid", "test"])
def test_pronouns_link_once(part: str) -> None:
    for en, fr, links in aligned_pairs(part):
        for i, word in enumerate(en):
            if word in ("I", "he", "we"):
                reached = [fr[j].lower() for k, j in links if k == i]
                assert sum(form in ("je", "j'", "il", "nous", "tu") for form in reached) <= 1, (en, fr, links)


def content_forms() -> set[str]:
    """French forms of nouns, adjectives and verbs, without the auxiliaries and words of two letters."""
    found = {form for entry in NOUNS.values() for form in (entry.fr, entry.fr_plural)}
    found |= {agree(a, g, p) for a in ADJECTIVES.values() for g in "mf" for p in (False, True)}
    plain = [verb for verb in INFINITIVES if verb not in ("être", "avoir", "aller", "pleuvoir", "falloir")]
    for verb in plain:
        found |= {verb, french_verbs.participle(verb)}
        tenses = ("present", "imperfect", "future", "conditional")
        found |= {french_verbs.conjugate(verb, tense, person) for tense in tenses for person in range(6)}
    return {form for form in found if " " not in form and len(form) > 2}


def test_french_content_words_are_linked() -> None:
    forms, total, linked = content_forms(), 0, 0
    for _, fr, links in aligned_pairs("valid") + aligned_pairs("test"):
        reached = {j for _, j in links}
        places = [j for j, word in enumerate(fr) if word.lower() in forms]
        total += len(places)
        linked += sum(j in reached for j in places)
    assert total > 5_000
    assert linked >= 0.99 * total


def test_be_is_a_state() -> None:
    assert BE.stative
