"""Nouns, names and places: lines `english | french | gender | classes`; an irregular plural follows a comma."""

from functools import cache
from typing import NamedTuple

NOUN_TABLE = """
man,men | homme | m | person adult
woman,women | femme | f | person adult
boy | garçon | m | person young
girl | fille | f | person young
child,children | enfant | m | person young
baby | bébé | m | infant
father | père | m | person adult kin
mother | mère | f | person adult kin
brother | frère | m | person kin
sister | sœur | f | person kin
son | fils,fils | m | person kin
uncle | oncle | m | person adult kin
aunt | tante | f | person adult kin
cousin | cousin | m | person kin
grandfather | grand-père,grands-pères | m | person adult kin
grandmother | grand-mère,grands-mères | f | person adult kin
husband | mari | m | person adult kin spouse
friend | ami | m | person kin
neighbour | voisin | m | person adult kin
teacher | professeur | m | person adult job
pupil | élève | m | person young
student | étudiant | m | person adult
doctor | médecin | m | person adult job
nurse | infirmière | f | person adult job
farmer | fermier | m | person adult job
baker | boulanger | m | person adult job
waitress | serveuse | f | person adult job
actress | actrice | f | person adult job fame
singer | chanteuse | f | person adult job fame
engineer | ingénieur | m | person adult job
journalist | journaliste | m | person adult job
lawyer | avocat | m | person adult job fame
policeman,policemen | policier | m | person adult job
driver | chauffeur | m | person adult job
director | directeur | m | person adult job
customer | client | m | person adult
tourist | touriste | m | person adult
guest | invité | m | person adult
king | roi | m | person adult title
queen | reine | f | person adult title
hero,heroes | héros,héros | m | person adult title
colleague | collègue | m | person adult kin
dog | chien | m | animal pet
cat | chat | m | animal pet
horse | cheval,chevaux | m | animal farm
bird | oiseau | m | animal
cow | vache | f | animal farm
mouse,mice | souris,souris | f | animal
rabbit | lapin | m | animal pet
sheep,sheep | mouton | m | animal farm
hen | poule | f | animal farm
duck | canard | m | animal farm
bread | pain | m | food mass
cheese | fromage | m | food mass
meat | viande | f | food mass
rice | riz | m | food mass
soup | soupe | f | food mass cooked
salad | salade | f | food mass cooked
fish,fish | poisson | m | food mass cooked
ham | jambon | m | food mass
chicken | poulet | m | food mass cooked
butter | beurre | m | food mass
sugar | sucre | m | ingredient mass
salt | sel | m | ingredient mass
flour | farine | f | ingredient mass
oil | huile | f | ingredient mass
jam | confiture | f | food mass
apple | pomme | f | food fruit
orange | orange | f | food fruit
pear | poire | f | food fruit
strawberry | fraise | f | food fruit
banana | banane | f | food fruit
cherry | cerise | f | food fruit
potato,potatoes | pomme de terre,pommes de terre | f | food vegetable
tomato,tomatoes | tomate | f | food vegetable
carrot | carotte | f | food vegetable
onion | oignon | m | food vegetable
bean | haricot | m | food vegetable
mushroom | champignon | m | food vegetable
egg | œuf | m | food cooked
cake | gâteau,gâteaux | m | food cooked
sandwich | sandwich | m | food
biscuit | biscuit | m | food
water | eau | f | drink mass
coffee | café | m | drink mass hotdrink
tea | thé | m | drink mass hotdrink
milk | lait | m | drink mass
wine | vin | m | drink mass
beer | bière | f | drink mass
juice | jus,jus | m | drink mass
car | voiture | f | vehicle machine
bicycle | vélo | m | machine rideable
truck | camion | m | vehicle machine
taxi | taxi | m | transport
train | train | m | transport
bus | bus,bus | m | transport
plane | avion | m | transport
boat | bateau,bateaux | m | vehicle transport
coat | manteau,manteaux | m | clothes
hat | chapeau,chapeaux | m | clothes
shirt | chemise | f | clothes
dress | robe | f | clothes
skirt | jupe | f | clothes
shoe | chaussure | f | clothes
glove | gant | m | clothes
scarf,scarves | écharpe | f | clothes
sweater | pull | m | clothes
jacket | veste | f | clothes
boot | botte | f | clothes
book | livre | m | text thing
newspaper | journal,journaux | m | text thing
letter | lettre | f | text mail
message | message | m | mail
postcard | carte postale,cartes postales | f | mail
poem | poème | m | text
story | histoire | f | text tale
novel | roman | m | text thing
article | article | m | text
key | clé | f | thing small
phone | téléphone | m | thing machine device
computer | ordinateur | m | machine device thing
camera | appareil photo,appareils photo | m | thing device
umbrella | parapluie | m | thing
bag | sac | m | thing
watch | montre | f | thing
table | table | f | furniture
chair | chaise | f | furniture
bed | lit | m | furniture
lamp | lampe | f | furniture light
armchair | fauteuil | m | furniture
wardrobe | armoire | f | furniture
carpet | tapis,tapis | m | furniture
mirror | miroir | m | furniture
door | porte | f | opening
window | fenêtre | f | opening
gate | portail | m | opening
wall | mur | m | surface
roof | toit | m | surface
knife,knives | couteau,couteaux | m | dish
fork | fourchette | f | dish
spoon | cuillère | f | dish
plate | assiette | f | dish
glass | verre | m | dish
cup | tasse | f | dish
bottle | bouteille | f | dish
photo | photo | f | thing picture
painting | tableau,tableaux | m | picture art
gift | cadeau,cadeaux | m | thing gift
toy | jouet | m | thing gift
ball | ballon | m | thing gift
flower | fleur | f | plant gift
rose | rose | f | plant gift
tree | arbre | m | plant
ticket | billet | m | ticket
suitcase | valise | f | luggage thing
passport | passeport | m | thing
map | carte | f | thing
pen | stylo | m | thing small
pencil | crayon | m | thing small
notebook | cahier | m | thing small
wallet | portefeuille | m | thing small
coin | pièce | f | coin
film | film | m | show
play | pièce de théâtre,pièces de théâtre | f | show
concert | concert | m | show
match,matches | match | m | show
song | chanson | f | song
piano | piano | m | instrument
violin | violon | m | instrument
guitar | guitare | f | instrument
flute | flûte | f | instrument
football | football | m | sport
tennis | tennis,tennis | m | sport
chess,chess | échecs,échecs | m | chess
house | maison | f | building at:in,dans
flat | appartement | m | building at:in,dans
room | chambre | f | room at:in,dans
kitchen | cuisine | f | room at:in,dans
living room | salon | m | room at:in,dans
bathroom | salle de bains,salles de bains | f | room at:in,dans
garage | garage | m | room at:in,dans
garden | jardin | m | outdoor green at:in,dans
park | parc | m | outdoor green at:in,dans
forest | forêt | f | outdoor nature at:in,dans
street | rue | f | outdoor way at:in,dans
square | place | f | outdoor way at:on,sur
bridge | pont | m | way at:on,sur
road | route | f | way at:on,sur
beach | plage | f | outdoor nature at:on,sur
mountain | montagne | f | nature at:in,dans
river | rivière | f | nature
sea | mer | f | nature
lake | lac | m | nature
island | île | f | nature at:on,sur
village | village | m | town at:in,dans
town | ville | f | town at:in,dans
country,countries | pays,pays | m | land at:in,dans
school | école | f | building study at:at,à
university | université | f | study building at:at,à
library | bibliothèque | f | building study at:at,à
classroom | classe | f | study at:in,dans
office | bureau,bureaux | m | work at:at,à
factory | usine | f | building work at:in,dans
hospital | hôpital,hôpitaux | m | building care at:at,à
pharmacy | pharmacie | f | shop care at:at,à
station | gare | f | building travel at:at,à
airport | aéroport | m | building travel at:at,à
port | port | m | travel at:at,à
hotel | hôtel | m | building travel at:at,à
restaurant | restaurant | m | building eating at:at,à
bakery | boulangerie | f | shop at:at,à
market | marché | m | shopping at:at,à
supermarket | supermarché | m | shopping at:at,à
bookshop | librairie | f | shop at:at,à
bank | banque | f | building errand at:at,à
post office | poste | f | building errand at:at,à
museum | musée | m | building culture at:at,à
cinema | cinéma | m | building culture at:at,à
theatre | théâtre | m | building culture at:at,à
church | église | f | building culture at:at,à
castle | château,châteaux | m | building culture at:in,dans
swimming pool | piscine | f | building leisure at:at,à
stadium | stade | m | building leisure at:at,à
farm | ferme | f | building at:on,à
head | tête | f | body
back | dos,dos | m | body
arm | bras,bras | m | body
leg | jambe | f | body
foot,feet | pied | m | body
hand | main | f | body wash
eye | œil,yeux | m | body
tooth,teeth | dent | f | body wash
throat | gorge | f | body
knee | genou,genoux | m | body
shoulder | épaule | f | body
stomach | ventre | m | body
face | visage | m | wash
medicine | médicament | m | medicine
fever | fièvre | f | illness
cold | rhume | m | illness
question | question | f | asked
answer | réponse | f | said
problem | problème | m | trouble
idea | idée | f | thought
word | mot | m | said
sentence | phrase | f | said
lesson | leçon | f | schoolwork
exercise | exercice | m | schoolwork
exam | examen | m | exam
mistake | erreur | f | trouble
dream | rêve | m | thought
truth | vérité | f | told
secret | secret | m | told
joke | blague | f | tale
job | travail,travaux | m | post
work | travail,travaux | m | post2
meeting | réunion | f | event
party,parties | fête | f | event
wedding | mariage | m | event
trip | voyage | m | event journey
report | rapport | m | text paper
project | projet | m | paper
contract | contrat | m | paper
money | argent | m | money mass
bill | addition | f | bill
dinner | dîner | m | meal
lunch | déjeuner | m | meal
breakfast | petit déjeuner | m | meal
meal | repas,repas | m | cooked
music | musique | f | sound mass
radio | radio | f | sound
snow | neige | f | weather mass
rain | pluie | f | weather mass
wind | vent | m | weather mass
storm | orage | m | storm
moon | lune | f | sky
star | étoile | f | sky
noise | bruit | m | sound
box | boîte | f | container
drawer | tiroir | m | container
address | adresse | f | info
name | nom | m | info
number | numéro | m | info
hour | heure | f | unit
minute | minute | f | unit
day | jour | m | unit
week | semaine | f | unit
month | mois,mois | m | unit
year | an | m | unit
"""

NAME_TABLE = """
m: Paul Pierre Thomas Lucas Gabriel Antoine Henri Julien Nicolas Louis Marc David Olivier Simon
f: Marie Julie Sophie Claire Alice Emma Louise Anne Camille Sarah Élise Hélène Isabelle Jeanne
"""
CITY_TABLE = (
    "Paris London:Londres Rome Madrid Berlin Lyon Brussels:Bruxelles Geneva:Genève Montreal:Montréal Athens:Athènes"
)
COUNTRY_TABLE = """
France | France | f
Spain | Espagne | f
Italy | Italie | f
Germany | Allemagne | f
England | Angleterre | f
Canada | Canada | m
Japan | Japon | m
Portugal | Portugal | m
Brazil | Brésil | m
Belgium | Belgique | f
"""
LANGUAGES = {
    "French": "français",
    "English": "anglais",
    "Spanish": "espagnol",
    "Italian": "italien",
    "German": "allemand",
    "Japanese": "japonais",
}
SUBJECTS = {
    "history": "histoire",
    "geography": "géographie",
    "biology": "biologie",
    "chemistry": "chimie",
}


class Noun(NamedTuple):
    """A noun with both plurals, its French gender and its semantic classes."""

    en: str
    en_plural: str
    fr: str
    fr_plural: str
    gender: str
    classes: tuple[str, ...]

    @property
    def mass(self) -> bool:
        """Whether the noun is uncountable."""
        return "mass" in self.classes

    def place(self) -> tuple[str, str] | None:
        """The prepositions that locate something there, English and French."""
        for mark in self.classes:
            if mark.startswith("at:"):
                english, french = mark[3:].split(",")
                return english, french
        return None


def english_plural(noun: str) -> str:
    """Regular English plural."""
    if noun.endswith(("s", "sh", "ch", "x")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def french_plural(noun: str) -> str:
    """Regular French plural, with -au, -eu and -al."""
    if noun.endswith(("s", "x", "z")):
        return noun
    if noun.endswith(("eau", "eu")):
        return noun + "x"
    return noun + "s"


def read_noun(line: str) -> Noun:
    """One line of the noun table."""
    english, french, gender, classes = (part.strip() for part in line.split("|"))
    en, _, en_plural = english.partition(",")
    fr, _, fr_plural = french.partition(",")
    plurals = (en_plural or english_plural(en), fr_plural or french_plural(fr))
    return Noun(en, plurals[0], fr, plurals[1], gender, tuple(classes.split()))


NOUNS = {noun.en: noun for noun in map(read_noun, NOUN_TABLE.strip().splitlines())}
NAMES = [(name, line[0]) for line in NAME_TABLE.strip().splitlines() for name in line[2:].split()]
CITIES = [(city.split(":")[0], city.split(":")[-1]) for city in CITY_TABLE.split()]
COUNTRIES = [tuple(part.strip() for part in line.split("|")) for line in COUNTRY_TABLE.strip().splitlines()]


@cache
def of_class(*classes: str) -> list[Noun]:
    """The nouns that belong to one of the classes, in table order."""
    return [noun for noun in NOUNS.values() if any(mark in noun.classes for mark in classes)]
