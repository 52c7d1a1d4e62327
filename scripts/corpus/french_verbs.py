"""French conjugation: regular patterns, spelling changes and irregular verbs."""

from functools import cache

PRESENT = {
    "er": ("e", "es", "e", "ons", "ez", "ent"),
    "ir": ("is", "is", "it", "issons", "issez", "issent"),
    "re": ("s", "s", "", "ons", "ez", "ent"),
}
IMPERFECT = ("ais", "ais", "ait", "ions", "iez", "aient")
FUTURE = ("ai", "as", "a", "ons", "ez", "ont")
SUBJUNCTIVE = ("e", "es", "e", "ions", "iez", "ent")
PARTICIPLE = {"er": "é", "ir": "i", "re": "u"}

# infinitive: the six present forms | past participle | future stem
IRREGULAR_TABLE = """
être: suis es est sommes êtes sont | été | ser
avoir: ai as a avons avez ont | eu | aur
aller: vais vas va allons allez vont | allé | ir
faire: fais fais fait faisons faites font | fait | fer
venir: viens viens vient venons venez viennent | venu | viendr
tenir: tiens tiens tient tenons tenez tiennent | tenu | tiendr
pouvoir: peux peux peut pouvons pouvez peuvent | pu | pourr
vouloir: veux veux veut voulons voulez veulent | voulu | voudr
devoir: dois dois doit devons devez doivent | dû | devr
savoir: sais sais sait savons savez savent | su | saur
voir: vois vois voit voyons voyez voient | vu | verr
prendre: prends prends prend prenons prenez prennent | pris | prendr
naître: nais nais naît naissons naissez naissent | né | naîtr
mettre: mets mets met mettons mettez mettent | mis | mettr
battre: bats bats bat battons battez battent | battu | battr
dire: dis dis dit disons dites disent | dit | dir
lire: lis lis lit lisons lisez lisent | lu | lir
écrire: écris écris écrit écrivons écrivez écrivent | écrit | écrir
boire: bois bois boit buvons buvez boivent | bu | boir
croire: crois crois croit croyons croyez croient | cru | croir
recevoir: reçois reçois reçoit recevons recevez reçoivent | reçu | recevr
conduire: conduis conduis conduit conduisons conduisez conduisent | conduit | conduir
construire: construis construis construit construisons construisez construisent | construit | construir
traduire: traduis traduis traduit traduisons traduisez traduisent | traduit | traduir
partir: pars pars part partons partez partent | parti | partir
sortir: sors sors sort sortons sortez sortent | sorti | sortir
dormir: dors dors dort dormons dormez dorment | dormi | dormir
sentir: sens sens sent sentons sentez sentent | senti | sentir
servir: sers sers sert servons servez servent | servi | servir
courir: cours cours court courons courez courent | couru | courr
ouvrir: ouvre ouvres ouvre ouvrons ouvrez ouvrent | ouvert | ouvrir
offrir: offre offres offre offrons offrez offrent | offert | offrir
découvrir: découvre découvres découvre découvrons découvrez découvrent | découvert | découvrir
connaître: connais connais connaît connaissons connaissez connaissent | connu | connaîtr
vivre: vis vis vit vivons vivez vivent | vécu | vivr
suivre: suis suis suit suivons suivez suivent | suivi | suivr
rire: ris ris rit rions riez rient | ri | rir
peindre: peins peins peint peignons peignez peignent | peint | peindr
éteindre: éteins éteins éteint éteignons éteignez éteignent | éteint | éteindr
asseoir: assieds assieds assied asseyons asseyez asseyent | assis | assiér
envoyer: envoie envoies envoie envoyons envoyez envoient | envoyé | enverr
pleuvoir: - - pleut - - - | plu | pleuvr
falloir: - - faut - - - | fallu | faudr
"""
PREFIXED = {
    "revenir": ("re", "venir"),
    "devenir": ("de", "venir"),
    "apprendre": ("ap", "prendre"),
    "comprendre": ("com", "prendre"),
    "promettre": ("pro", "mettre"),
    "permettre": ("per", "mettre"),
    "souvenir": ("sou", "venir"),
    "appartenir": ("appar", "tenir"),
}
SUBJUNCTIVES = {
    "être": "sois sois soit soyons soyez soient",
    "avoir": "aie aies ait ayons ayez aient",
    "aller": "aille ailles aille allions alliez aillent",
    "faire": "fasse fasses fasse fassions fassiez fassent",
    "pouvoir": "puisse puisses puisse puissions puissiez puissent",
    "savoir": "sache saches sache sachions sachiez sachent",
    "vouloir": "veuille veuilles veuille voulions vouliez veuillent",
    "falloir": "- - faille - - -",
    "pleuvoir": "- - pleuve - - -",
}
IMPERATIVES = {
    "être": ("sois", "soyons", "soyez"),
    "avoir": ("aie", "ayons", "ayez"),
    "savoir": ("sache", "sachons", "sachez"),
    "aller": ("va", "allons", "allez"),
}
IMPERFECT_STEMS = {"être": "ét", "falloir": "fall", "pleuvoir": "pleuv"}
DOUBLING = {"appeler", "jeter", "rappeler"}


def read_irregular() -> dict[str, tuple[list[str], str, str]]:
    """The irregular table as infinitive -> (present forms, participle, future stem)."""
    verbs = {}
    for line in IRREGULAR_TABLE.strip().splitlines():
        infinitive, rest = line.split(":")
        present, participle, stem = (part.strip() for part in rest.split("|"))
        verbs[infinitive] = (present.split(), participle, stem)
    for infinitive, (prefix, base) in PREFIXED.items():
        forms, participle, stem = verbs[base]
        verbs[infinitive] = ([prefix + form for form in forms], prefix + participle, prefix + stem)
    return verbs


IRREGULAR = read_irregular()


def group(infinitive: str) -> str:
    """The regular class of an infinitive: er, ir or re."""
    return infinitive[-2:]


def strong(infinitive: str) -> str:
    """The stem of an -er verb before a silent ending (achèt-, appell-, préfèr-, nettoi-)."""
    stem = infinitive[:-2]
    if infinitive in DOUBLING:
        return stem + stem[-1]
    if stem.endswith(("oy", "uy", "ay")):
        return stem[:-1] + "i"
    if len(stem) > 2 and stem[-2] in "eé" and stem[-1] in "tvlnrmscg":
        return stem[:-2] + "è" + stem[-1]
    return stem


def soft(stem: str, ending: str) -> str:
    """Joins stem and ending, keeping the sound of g and c before a and o."""
    if ending[:1] in ("a", "o", "â"):
        if stem.endswith("g"):
            return stem + "e" + ending
        if stem.endswith("c"):
            return stem[:-1] + "ç" + ending
    return stem + ending


@cache
def present(infinitive: str) -> tuple[str, ...]:
    """The six present forms."""
    if infinitive in IRREGULAR:
        return tuple(IRREGULAR[infinitive][0])
    stem, kind = infinitive[:-2], group(infinitive)
    if kind != "er":
        return tuple(stem + ending for ending in PRESENT[kind])
    silent = {0, 1, 2, 5}
    return tuple(
        (strong(infinitive) + ending) if person in silent else soft(stem, ending)
        for person, ending in enumerate(PRESENT["er"])
    )


def participle(infinitive: str) -> str:
    """The masculine singular past participle."""
    if infinitive in IRREGULAR:
        return IRREGULAR[infinitive][1]
    return infinitive[:-2] + PARTICIPLE[group(infinitive)]


def future_stem(infinitive: str) -> str:
    """The stem of the future and the conditional."""
    if infinitive in IRREGULAR:
        return IRREGULAR[infinitive][2]
    if group(infinitive) == "re":
        return infinitive[:-1]
    if group(infinitive) == "er" and infinitive[-4:-3] != "é":
        return strong(infinitive) + "er"
    return infinitive


def imperfect(infinitive: str, person: int) -> str:
    """Imparfait, from the nous form of the present."""
    stem = IMPERFECT_STEMS.get(infinitive) or present(infinitive)[3].removesuffix("ons")
    if stem.endswith("ge") and person in (3, 4):
        stem = stem[:-1]
    if stem.endswith("ç") and person in (3, 4):
        stem = stem[:-1] + "c"
    return stem + IMPERFECT[person]


def subjunctive(infinitive: str, person: int) -> str:
    """Present subjunctive."""
    if infinitive in SUBJUNCTIVES:
        return SUBJUNCTIVES[infinitive].split()[person]
    if person in (3, 4):
        return imperfect(infinitive, person)
    return present(infinitive)[5].removesuffix("ent") + SUBJUNCTIVE[person]


def imperative(infinitive: str, person: int) -> str:
    """Imperative for persons 1 (tu), 3 (nous) and 4 (vous)."""
    if infinitive in IMPERATIVES:
        return IMPERATIVES[infinitive][{1: 0, 3: 1, 4: 2}[person]]
    form = present(infinitive)[person]
    return form[:-1] if person == 1 and form.endswith("es") else form


def conjugate(infinitive: str, tense: str, person: int) -> str:
    """A simple form: tense is present, imperfect, future, conditional, subjunctive or imperative; person is 0 to 5."""
    if tense == "present":
        return present(infinitive)[person]
    if tense == "imperfect":
        return imperfect(infinitive, person)
    if tense == "future":
        return future_stem(infinitive) + FUTURE[person]
    if tense == "conditional":
        return future_stem(infinitive) + IMPERFECT[person]
    if tense == "subjunctive":
        return subjunctive(infinitive, person)
    return imperative(infinitive, person)
