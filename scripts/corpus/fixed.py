"""Set phrases: greetings and small talk, aligned by hand with `word/1` marks; all of them go to training."""

from .meaning import aligned
from .sentence import Sentence, finish
from .words import Bi

# english | french: equal numbers after the slash correspond
PHRASES = """
Hello/1 ! | Bonjour/1 !
Good/1 morning/1 . | Bonjour/1 .
Good/1 morning/1 ,/2 madam/3 . | Bonjour/1 ,/2 madame/3 .
Good/1 morning/1 ,/2 sir/3 . | Bonjour/1 ,/2 monsieur/3 .
Good/1 evening/1 . | Bonsoir/1 .
Good/1 evening/1 ,/2 sir/3 . | Bonsoir/1 ,/2 monsieur/3 .
Good/1 evening/1 ,/2 madam/3 . | Bonsoir/1 ,/2 madame/3 .
Good/1 night/2 . | Bonne/1 nuit/2 .
Good/1 night/2 ,/3 my/4 darling/5 . | Bonne/1 nuit/2 ,/3 mon/4 chéri/5 .
Good/1 luck/2 ! | Bonne/1 chance/2 !
Good/1 idea/2 ! | Bonne/1 idée/2 !
Goodbye/1 . | Au/1 revoir/1 .
Goodbye/1 ,/2 sir/3 . | Au/1 revoir/1 ,/2 monsieur/3 .
Goodbye/1 ,/2 madam/3 . | Au/1 revoir/1 ,/2 madame/3 .
See/1 you/1 tomorrow/2 . | À/1 demain/2 .
See/1 you/1 soon/2 . | À/1 bientôt/2 .
See/1 you/1 on/1 Monday/2 . | À/1 lundi/2 .
See/1 you/1 on/1 Saturday/2 . | À/1 samedi/2 .
See/1 you/1 next/2 week/3 . | À/1 la semaine/3 prochaine/2 .
Thank/1 you/1 . | Merci/1 .
Thank/1 you/1 very/2 much/2 . | Merci/1 beaucoup/2 .
Thank/1 you/1 for/2 your/3 help/4 . | Merci/1 pour/2 ton/3 aide/4 .
Thank/1 you/1 ,/2 sir/3 . | Merci/1 ,/2 monsieur/3 .
Thank/1 you/1 ,/2 madam/3 . | Merci/1 ,/2 madame/3 .
No/1 ,/2 thank/3 you/3 . | Non/1 ,/2 merci/3 .
Yes/1 ,/2 please/3 . | Oui/1 ,/2 s'il/3 te/3 plaît/3 .
Yes/1 ,/2 of/3 course/3 . | Oui/1 ,/2 bien/3 sûr/3 .
Of/1 course/1 ! | Bien/1 sûr/1 !
You/1 are/1 welcome/1 . | De/1 rien/1 .
I/1 am/2 sorry/3 . | Je/1 suis/2 désolé/3 .
Excuse/1 me/2 . | Excuse/1 -moi/2 .
Excuse/1 me/2 ,/3 sir/4 . | Excusez/1 -moi/2 ,/3 monsieur/4 .
Excuse/1 me/2 ,/3 madam/4 . | Excusez/1 -moi/2 ,/3 madame/4 .
How/1 are/2 you/3 ? | Comment/1 vas/2 -tu/3 ?
How/1 are/2 you/3 ,/4 sir/5 ? | Comment/1 allez/2 -vous/3 ,/4 monsieur/5 ?
How/1 are/2 you/3 ,/4 madam/5 ? | Comment/1 allez/2 -vous/3 ,/4 madame/5 ?
I/1 am/2 well/3 . | Je/1 vais/2 bien/3 .
I/1 am/2 very/3 well/4 ,/5 thank/6 you/6 . | Je/1 vais/2 très/3 bien/4 ,/5 merci/6 .
And/1 you/2 ? | Et/1 toi/2 ?
And/1 you/2 ,/3 sir/4 ? | Et/1 vous/2 ,/3 monsieur/4 ?
What/1 is/2 your/3 name/1 ? | Comment/1 t'appelles/2 -tu/3 ?
Welcome/1 ! | Bienvenue/1 !
Welcome/1 to/2 France/3 ! | Bienvenue/1 en/2 France/3 !
Welcome/1 to/2 Paris/3 ! | Bienvenue/1 à/2 Paris/3 !
Happy/1 birthday/2 ! | Joyeux/1 anniversaire/2 !
Congratulations/1 ! | Félicitations/1 !
Enjoy/1 your/1 meal/2 ! | Bon/1 appétit/2 !
Have/1 a/1 good/1 trip/2 ! | Bon/1 voyage/2 !
Cheers/1 ! | Santé/1 !
I/1 love/2 you/3 . | Je/1 te/3 aime/2 .
I/1 love/2 you/3 a/4 lot/4 . | Je/1 te/3 aime/2 beaucoup/4 .
I/1 do/2 not/4 love/2 you/3 . | Je/1 ne/4 te/3 aime/2 pas/4 .
I/1 miss/2 you/3 . | Tu/3 me/1 manques/2 .
I/1 do/2 not/3 know/2 . | Je/1 ne/3 sais/2 pas/3 .
I/1 do/2 not/3 understand/2 . | Je/1 ne/3 comprends/2 pas/3 .
I/1 agree/2 . | Je/1 suis/2 d'accord/2 .
You/1 are/2 right/2 . | Tu/1 as/2 raison/2 .
You/1 are/2 wrong/2 . | Tu/1 as/2 tort/2 .
It/1 does/2 not/3 matter/2 . | Ce/1 n'est/3/2 pas/3 grave/2 .
Come/1 in/1 ! | Entre/1 !
Wait/1 ! | Attends/1 !
Look/1 ! | Regarde/1 !
Listen/1 ! | Écoute/1 !
Be/1 careful/2 ! | Fais/1 attention/2 !
Help/1 ! | Au/1 secours/1 !
Yes/1 . | Oui/1 .
No/1 . | Non/1 .
Perhaps/1 . | Peut/1 -être/1 .
Not/1 yet/1 . | Pas/1 encore/1 .
Why/1 ? | Pourquoi/1 ?
Where/1 ? | Où/1 ?
When/1 ? | Quand/1 ?
"""


def ended(side: str) -> str:
    """Numbers the final mark so that the two sides correspond."""
    words, mark = side.strip().rsplit(" ", 1)
    return f"{words} {mark}/end"


def fixed_sentence(line: str) -> Sentence:
    """One line of the table."""
    english, french = line.split("|")
    parts = aligned(ended(english), ended(french))
    return finish(Bi(parts.en[:-1], parts.fr[:-1]), parts.en[-1].text, plan="fixed")


def fixed_sentences() -> list[Sentence]:
    """All set phrases."""
    return [fixed_sentence(line) for line in PHRASES.strip().splitlines()]
