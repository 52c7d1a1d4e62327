"""Adjectives, states, adverbs, time expressions and number words."""

from functools import cache
from typing import NamedTuple

# english | masculine | feminine | pre or post | classes the adjective describes
ADJECTIVE_TABLE = """
small | petit | petite | pre | thing clothes furniture building room animal town dish green luggage plant container
big | grand | grande | pre | furniture building room animal town dish green luggage plant vehicle container
tall | grand | grande | pre | person0 plant0
old | vieux | vieille | pre | person0 adult thing clothes furniture building town vehicle machine opening way picture
young | jeune | jeune | pre | adult
beautiful | beau | belle | pre | clothes building town plant picture animal green nature gift song art dish
new | nouveau | nouvelle | pre | clothes thing furniture vehicle machine show song job paper toy building schoolwork
good | bon | bonne | pre | food drink text show idea thought meal song cooked job tale
bad | mauvais | mauvaise | pre | thought show news
pretty | joli | jolie | pre | clothes dish plant picture house gift room
long | long | longue | pre | text journey way exam
short | court | courte | post | text journey exam
red | rouge | rouge | post | clothes vehicle machine fruit thing plant opening luggage furniture dish
blue | bleu | bleue | post | clothes vehicle thing opening dish furniture luggage container
green | vert | verte | post | clothes vehicle thing opening dish furniture luggage container
white | blanc | blanche | post | clothes vehicle animal furniture plant dish building surface
black | noir | noire | post | clothes vehicle animal luggage thing furniture
yellow | jaune | jaune | post | clothes plant dish vehicle thing container
grey | gris | grise | post | clothes animal vehicle surface
brown | marron | marron | post | clothes luggage furniture
expensive | cher | chère | post | clothes vehicle machine thing furniture gift luggage
heavy | lourd | lourde | post | luggage furniture thing container
light | léger | légère | post | luggage clothes
hot | chaud | chaude | post | cooked hotdrink drinkhot
cold | froid | froide | post | drink cooked
fresh | frais | fraîche | post | fruit vegetable fresh
delicious | délicieux | délicieuse | post | food meal cooked drink
sweet | sucré | sucrée | post | fruit
ripe | mûr | mûre | post | fruit
clean | propre | propre | post | clothes dish room furniture
dirty | sale | sale | post | clothes dish room machine vehicle
empty | vide | vide | post | dish container room luggage
full | plein | pleine | post | container dish luggage
modern | moderne | moderne | post | building furniture town device vehicle
famous | célèbre | célèbre | post | fame town painting
intelligent | intelligent | intelligente | post | person pet
kind | gentil | gentille | post | person
happy | heureux | heureuse | post | person
sad | triste | triste | post | person tale song text
nervous | nerveux | nerveuse | post | person
serious | sérieux | sérieuse | post | person trouble illness
lazy | paresseux | paresseuse | post | person pet
rich | riche | riche | post | adult
poor | pauvre | pauvre | post | adult
brave | courageux | courageuse | post | person
honest | honnête | honnête | post | adult
polite | poli | polie | post | person
patient | patient | patiente | post | adult
curious | curieux | curieuse | post | person pet
tired | fatigué | fatiguée | post | person
ill | malade | malade | post | person animal
interesting | intéressant | intéressante | post | text show town culture lesson schoolwork thought art tale paper
boring | ennuyeux | ennuyeuse | post | text show schoolwork event
difficult | difficile | difficile | post | schoolwork exam asked trouble
easy | facile | facile | post | schoolwork exam asked
important | important | importante | post | mail event paper asked exam
funny | drôle | drôle | post | tale show text
quiet | tranquille | tranquille | post | town green room street way
dangerous | dangereux | dangereuse | post | way nature farm0
useful | utile | utile | post | thing device idea
round | rond | ronde | post | furniture dish container
broken | cassé | cassée | post | machine device furniture dish
open | ouvert | ouverte | post | opening
closed | fermé | fermée | post | opening container
Italian | italien | italienne | post | job eating show wine song
English | anglais | anglaise | post | job text show adult
Spanish | espagnol | espagnole | post | job song adult
foreign | étranger | étrangère | post | adult town land
strong | fort | forte | post | adult hotdrink
comfortable | confortable | confortable | post | furniture building room clothes vehicle
strange | étrange | étrange | post | thought sound tale
next | prochain | prochaine | post | -
last | dernier | dernière | pre | -
ready | prêt | prête | post | -
late | en retard | en retard | post | -
angry | en colère | en colère | post | -
alone | seul | seule | post | -
busy | occupé | occupée | post | -
worried | inquiet | inquiète | post | -
free | libre | libre | post | -
favourite | préféré | préférée | post | song text show food
"""

BEFORE_VOWEL = {"beau": "bel", "nouveau": "nouvel", "vieux": "vieil"}


class Adjective(NamedTuple):
    """An adjective: French forms, whether it precedes the noun, and what it can describe."""

    en: str
    masculine: str
    feminine: str
    before: bool
    classes: tuple[str, ...]


def read_adjective(line: str) -> Adjective:
    """One line of the adjective table."""
    en, masculine, feminine, side, classes = (part.strip() for part in line.split("|"))
    return Adjective(en, masculine, feminine, side == "pre", tuple(classes.split()))


ADJECTIVES = {entry.en: entry for entry in map(read_adjective, ADJECTIVE_TABLE.strip().splitlines())}
INVARIABLE = {"marron", "en retard", "en colère"}


def masculine_plural(form: str) -> str:
    """Masculine plural of an adjective or participle."""
    if form.endswith(("s", "x")):
        return form
    if form.endswith("eau"):
        return form + "x"
    return form[:-2] + "aux" if form.endswith("al") else form + "s"


def agree(adjective: Adjective, gender: str, plural: bool) -> str:
    """The French form of an adjective."""
    if adjective.masculine in INVARIABLE:
        return adjective.masculine
    if gender == "f":
        return adjective.feminine + ("s" if plural else "")
    return masculine_plural(adjective.masculine) if plural else adjective.masculine


# english | french | english position (pre: before the main verb, end: after the object) | french position
# (mid: after the finite verb, late: after the participle, end: after the objects)
ADVERB_TABLE = """
always | toujours | pre | mid | habit
often | souvent | pre | mid | habit
rarely | rarement | pre | mid | habit
sometimes | parfois | pre | mid | habit
usually | généralement | pre | mid | habit
really | vraiment | pre | mid | degree
already | déjà | pre | mid | done
finally | enfin | pre | mid | done
probably | probablement | pre | mid | maybe
still | encore | pre | mid | now
well | bien | end | mid | well
badly | mal | end | mid | well
a lot | beaucoup | end | mid | amount
too much | trop | end | mid | amount
quickly | rapidement | end | late | manner
slowly | lentement | end | late | manner
carefully | soigneusement | end | late | careful
quietly | tranquillement | end | late | manner
patiently | patiemment | end | late | wait
immediately | immédiatement | end | late | motion
together | ensemble | end | end | plural
"""


class Adverb(NamedTuple):
    """An adverb with its place on each side and its kind."""

    en: str
    fr: str
    en_place: str
    fr_place: str
    kind: str


ADVERBS = {
    entry.en: entry
    for entry in (Adverb(*(p.strip() for p in line.split("|"))) for line in ADVERB_TABLE.strip().splitlines())
}

# english = french
TIMES = {
    "past": """
yesterday = hier; yesterday morning = hier matin; yesterday evening = hier soir; last week = la semaine dernière;
last month = le mois dernier; last year = l' année dernière; last night = la nuit dernière;
two days ago = il y a deux jours; three weeks ago = il y a trois semaines; a long time ago = il y a longtemps;
last Monday = lundi dernier; last Friday = vendredi dernier; last Sunday = dimanche dernier;
last Saturday = samedi dernier; last summer = l' été dernier; last winter = l' hiver dernier;
an hour ago = il y a une heure; this morning = ce matin
""",
    "future": """
tomorrow = demain; tomorrow morning = demain matin; tomorrow evening = demain soir; next week = la semaine prochaine;
next month = le mois prochain; next year = l' année prochaine; next summer = l' été prochain;
next Tuesday = mardi prochain; next Thursday = jeudi prochain; next Saturday = samedi prochain;
in two days = dans deux jours; in three weeks = dans trois semaines; soon = bientôt; this evening = ce soir;
in an hour = dans une heure; the day after tomorrow = après-demain; later = plus tard
""",
    "habit": """
every day = tous les jours; every morning = tous les matins; every evening = tous les soirs;
every week = toutes les semaines; every Sunday = tous les dimanches; every Wednesday = tous les mercredis;
on Mondays = le lundi; on Saturdays = le samedi; on Fridays = le vendredi; in the morning = le matin;
in the evening = le soir; in summer = en été; in winter = en hiver; in spring = au printemps; in autumn = en automne;
from time to time = de temps en temps; once a week = une fois par semaine; twice a month = deux fois par mois;
every Thursday = tous les jeudis; at night = la nuit
""",
    "now": """
now = maintenant; at the moment = en ce moment; today = aujourd'hui; this morning = ce matin; this evening = ce soir;
this week = cette semaine; this afternoon = cet après-midi
""",
}
WEEKDAYS = {
    "Monday": "lundi",
    "Tuesday": "mardi",
    "Wednesday": "mercredi",
    "Thursday": "jeudi",
    "Friday": "vendredi",
    "Saturday": "samedi",
    "Sunday": "dimanche",
}
MONTHS = {
    "January": "janvier",
    "February": "février",
    "March": "mars",
    "April": "avril",
    "May": "mai",
    "June": "juin",
    "July": "juillet",
    "August": "août",
    "September": "septembre",
    "October": "octobre",
    "November": "novembre",
    "December": "décembre",
}


@cache
def read_times(kind: str) -> list[tuple[str, str]]:
    """The time expressions of a kind."""
    pairs = [entry.split("=") for entry in TIMES[kind].split(";")]
    return [(en.strip(), fr.strip()) for en, fr in pairs]
