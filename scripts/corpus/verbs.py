"""Verb frames: which English verb is which French verb, who does it, to what, and in which scenes."""

from functools import cache
from typing import NamedTuple

# english | french | object (english preposition/french preposition:classes or =nouns) | scenes | flags
# stative: no progressive, simple past is imparfait; give: has a recipient; etre: takes être; move: has a destination;
# generic: likes a whole kind; one: the object is singular; own: the object is usually one's own
FRAME_TABLE = """
eat | manger | food | food home leisure |
drink | boire | drink | food home leisure |
cook | préparer | cooked+meal | food home |
wash | laver | dish+clothes+vehicle | home |
cut | couper | vegetable+=bread,cheese,meat,cake | food |
buy | acheter | food+ingredient+clothes+text&thing+gift+ticket+furniture | shop food |
sell | vendre | vehicle+furniture+fruit+vegetable+clothes+=house,bicycle,computer | shop |
pay | payer | bill+ticket | shop food travel | one
choose | choisir | clothes+gift+=cake,wine | shop |
order | commander | cooked+drink | food |
taste | goûter | cooked+=wine,cheese,jam | food |
serve | servir | cooked&mass+drink+meal | food |
bring | apporter | gift+cooked+drink+dish | home food leisure |
open | ouvrir | opening+container+=bottle,letter,umbrella | home |
close | fermer | opening+container+luggage | home |
clean | nettoyer | room+opening+furniture+machine | home |
carry | porter | luggage+container | travel home |
paint | peindre | opening+surface+room | home |
repair | réparer | machine+=watch,roof,chair,door | home work |
break | casser | dish+=window,chair,mirror,phone,lamp,toy | home |
turn off | éteindre | light+sound&device+=radio,computer | home | one
turn on | allumer | light+=radio,computer | home | one
move | déplacer | furniture | home |
use | utiliser | device+=car,knife,map,pen | home work |
feed | nourrir | animal+infant | home nature |
wear | porter | clothes | home shop city |
put on | mettre | clothes | home city | own
take off | enlever | =coat,hat,shoe,boot,glove,jacket,scarf,sweater | home | own
iron | repasser | =shirt,dress,skirt | home |
look for | chercher | -/-:small+thing+clothes+job | home shop work city |
find | trouver | small+thing+clothes+coin | home city |
lose | perdre | small+=umbrella,passport,bag,glove,watch,ticket,phone | home travel city | own
forget | oublier | thing+info+=glove,scarf | home travel school | own
hide | cacher | gift+small+letter+=box,money | home |
keep | garder | secret+mail+thing | home |
read | lire | text+mail | home school leisure work |
write | écrire | text+mail | school work leisure home |
translate | traduire | text&paper+=sentence,word,letter,poem,book,article,novel | school work |
learn | apprendre | =lesson,poem,song,word | school |
explain | expliquer | schoolwork+trouble+=word,sentence,idea | school work |
correct | corriger | =exercise,mistake,exam,sentence | school |
finish | finir | schoolwork+paper+meal+=book,letter,novel | school work home |
start | commencer | schoolwork+paper+=book,novel,letter,trip | school work |
repeat | répéter | =word,sentence,question,answer | school |
understand | comprendre | schoolwork+trouble+said+asked+=joke | school work | noprog
prepare | préparer | exam+meal+=trip,party,meeting | home work school |
organize | organiser | event | work leisure |
sign | signer | =contract,letter,report | work |
cancel | annuler | =meeting,trip,concert,party | work travel |
present | présenter | project+paper | work |
discuss | discuter | -/de:paper+trouble | work |
send | envoyer | mail+gift+paper+photo | work home |
receive | recevoir | mail+gift+=money | work home |
answer | répondre | -/à:=letter,question,message | work school |
visit | visiter | =museum,church,castle,village,town,island,farm | travel leisure |
see | voir | nature+animal+person+=film,play,castle,church,bridge,moon,star | travel leisure nature city | noprog
watch | regarder | show+animal+sky | leisure home nature |
look at | regarder | picture+sky+animal+=map,sea+clothes+text&thing | leisure shop school nature |
listen to | écouter | song+=music,radio,concert,teacher | leisure home |
hear | entendre | =noise,song,music,wind,storm,bird | home nature city leisure | noprog
play | jouer | -/à:sport+chess | leisure | gen
play | jouer | -/de:instrument | leisure | the
sing | chanter | song | leisure |
draw | dessiner | animal+plant+=house,castle,church,bridge | school leisure |
take | prendre | transport | travel city |
miss | rater | transport+=exam | travel city |
wait for | attendre | transport+person | travel city |
drive | conduire | vehicle | travel city |
park | garer | =car,truck | travel city |
cross | traverser | way+=forest,town,river,square,park | travel city nature |
leave | quitter | =village,town,house,hotel,room,restaurant,station,office,hospital,country,school | travel city |
admire | admirer | picture+nature+=castle,church,village,museum,bridge,garden | travel leisure |
photograph | photographier | animal+nature+plant+=castle,bridge,church,village | travel nature |
plant | planter | plant | nature home |
follow | suivre | person+animal+=road,river,car | nature city |
meet | rencontrer | person | city work leisure |
invite | inviter | person | home leisure |
help | aider | person | home work school |
thank | remercier | person | home work |
call | appeler | person | home work city |
know | connaître | person+town+song+=museum,restaurant,hotel,castle,street,address | city leisure work | stative
know | savoir | =answer,truth,lesson | school | stative
love | aimer | person | home | stative
like | aimer | food+drink+show+animal+=music,snow | food leisure | stative generic
hate | détester | food+drink+=rain,noise,wind,snow | food | stative generic
prefer | préférer | food+drink+=mountain,sea | food | stative generic
need | avoir besoin | -/de:ingredient+=car,key,computer,umbrella,money,map,pen,ticket,job | home work travel | stative
want | vouloir | food+drink+toy+=dog,cat,bicycle | food shop home | stative
have | avoir | pet+vehicle+=computer,garden,bicycle,problem,question,idea,secret,key,house | home work | stative
remember | se souvenir | -/de:person+info+tale+journey+=dream | leisure home school | stative
take care of | s'occuper | -/de:infant+animal+person+green | home nature |
talk to | parler | -/à:person | work city home school |
talk about | parler | -/de:show+trouble+journey+text&thing+event | work leisure school |
think about | penser | -/à:person+trouble+journey+exam | home work |
believe | croire | =story,journalist,lawyer,child,friend | city home | stative
ask | poser | =question | school work | give
tell | raconter | tale+=dream | home school leisure | give
tell | dire | told | home | give
give | donner | gift+thing+food+money+=cat,dog,rabbit | home leisure | give
lend | prêter | thing+=money,car,bicycle,umbrella | home school | give
show | montrer | picture+text&thing+=ticket,map,mistake,passport,house,room | travel work school | give
offer | offrir | gift+=coffee,tea,watch,flower | home leisure | give
sleep | dormir |  | home |
work | travailler |  | work city |
study | étudier |  | school |
travel | voyager |  | travel |
swim | nager |  | nature leisure |
run | courir |  | nature leisure |
dance | danser |  | leisure |
sing | chanter |  | leisure home |
laugh | rire |  | leisure school |
cry | pleurer |  | home school |
wait | attendre |  | travel city |
rest | se reposer |  | home nature |
get up | se lever |  | home |
wake up | se réveiller |  | home |
go to bed | se coucher |  | home |
get dressed | s'habiller |  | home |
walk | marcher |  | nature city |
go for a walk | se promener |  | nature city |
have fun | s'amuser |  | leisure |
hurry | se dépêcher |  | city travel |
get lost | se perdre |  | city travel |
arrive | arriver |  | travel city work | etre
leave | partir |  | travel work | etre
go out | sortir |  | leisure | etre
come back | revenir |  | travel | etre
stay | rester |  | home travel | etre
fall | tomber |  | home nature | etre
go | aller |  | travel city | etre
come | venir |  | home leisure | etre
go home | rentrer |  | city work | etre
live | habiter |  | city | stative
smoke | fumer |  | city |
win | gagner | =match | leisure | one
steal | voler | =wallet,bicycle,car,bag,painting,money | city |
build | construire | =bridge,wall,boat,house,school,hospital,church,factory,hotel,station,garage | work |
enter | entrer | -/dans:room+=house,church,museum,castle,station,library,office,forest | city | etre
try on | essayer | clothes | shop |
borrow | emprunter | =book,car,bicycle,umbrella,money,pen,novel | school home |
return | rendre | =book,key,money,novel,map | school |
copy | copier | =sentence,word,exercise | school |
throw | jeter | =ball | leisure |
catch | attraper | =ball,mouse,rabbit,fish,cold | leisure nature |
hope | espérer |  |  |
think | penser |  |  | stative
say | dire |  |  |
be | être |  |  | stative
become | devenir |  |  | etre
begin | commencer |  |  |
try | essayer |  |  |
decide | décider |  |  |
refuse | refuser |  |  |
promise | promettre |  |  |
continue | continuer |  |  |
manage | réussir |  |  |
rain | pleuvoir |  |  |
snow | neiger |  |  |
cost | coûter |  |  | stative
hurt | avoir mal |  |  | stative
last | durer |  |  | stative
close | fermer |  |  |
start | commencer |  |  |
"""


class Frame(NamedTuple):
    """A verb with its translation, its object and its flags."""

    en: str
    fr: str
    en_preposition: str
    fr_preposition: str
    objects: str
    scenes: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def stative(self) -> bool:
        """A state: no progressive, and the English simple past is an imparfait."""
        return "stative" in self.flags

    @property
    def reflexive(self) -> bool:
        """Whether the French verb is pronominal."""
        return self.fr.startswith(("se ", "s'"))


def read_frame(line: str) -> Frame:
    """One line of the frame table."""
    en, fr, objects, scenes, flags = ([part.strip() for part in line.split("|")] + ["", ""])[:5]
    prepositions, colon, classes = objects.rpartition(":")
    english, _, french = prepositions.partition("/") if colon else ("", "", "")
    return Frame(en, fr, english.strip("-"), french.strip("-"), classes, tuple(scenes.split()), tuple(flags.split()))


FRAMES = [read_frame(line) for line in FRAME_TABLE.strip().splitlines()]


@cache
def frame(english: str, french: str | None = None) -> Frame:
    """The first frame with this English verb, and this French one when given."""
    return next(f for f in FRAMES if f.en == english and french in (None, f.fr))
