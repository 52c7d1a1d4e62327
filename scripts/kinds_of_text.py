"""Kinds of parallel text, each as a small corpus of our own: what its owner types and what comes out.

`python scripts/make_kinds_reference.py` writes the table of docs/kinds-of-text.md from here, and
tests/test_kinds_of_text.py trains on every one of them.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from dataclasses import dataclass
from xml.sax.saxutils import escape

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Kind:
    """One kind of corpus.

    `typed` is what follows `nmt train`, run in the folder that holds `files`. `pairs` is what it must read, in order.
    `tokenizer` is the part of the BLEU signature that names the tokenizer for the target language.
    """

    name: str
    files: dict[str, bytes]
    typed: str
    pairs: Pairs
    outcome: str
    tokenizer: str = "tok:13a"


def pairs_of(text: str) -> Pairs:
    """Read lines of `source = target`; few ones are repeated, since training needs ten."""
    lines = (line.partition(" = ") for line in text.strip("\n").split("\n"))
    return enough([(source, target) for source, _, target in lines])


def enough(pairs: Pairs) -> Pairs:
    return pairs * -(-10 // len(pairs))


def table(pairs: Pairs, separator: str = "\t", header: tuple[str, str] | None = None) -> bytes:
    rows = [*([header] if header else []), *pairs]
    return "".join(f"{source}{separator}{target}\n" for source, target in rows).encode()


def words(text: str) -> list[str]:
    return text.split()


def side(pairs: Pairs, index: int) -> bytes:
    return "".join(f"{pair[index]}\n" for pair in pairs).encode()


# Tasks whose text a program can write ---------------------------------------------------------------------------------

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def dates() -> Pairs:
    days = [(1 + 7 * n % 28, n % 12, 1990 + 11 * n % 60) for n in range(60)]
    return [(f"{day} {MONTHS[month]} {year}", f"{year}-{month + 1:02d}-{day:02d}") for day, month, year in days]


ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")


def in_words(number: int) -> str:
    """An English number below one million."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = number % size
    joint = " and " if 0 < rest < 100 else " "
    return f"{in_words(number // size)} {name}" + (f"{joint}{in_words(rest)}" if rest else "")


def numbers() -> Pairs:
    return [(str(number), in_words(number)) for number in ((7919 * n + 13) % 100_000 for n in range(120))]


CYRILLIC = dict(
    zip(
        "абвгдезийклмнопрстуфхыэ",
        [
            "a",
            "b",
            "v",
            "g",
            "d",
            "e",
            "z",
            "i",
            "y",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "kh",
            "y",
            "e",
        ],
        strict=True,
    )
) | {"ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ь": "'"}


def transliteration() -> Pairs:
    words = [
        "москва",
        "волга",
        "книга",
        "школа",
        "земля",
        "жизнь",
        "сердце",
        "человек",
        "правда",
        "улица",
        "машина",
        "дорога",
        "берег",
        "зима",
        "лето",
        "весна",
        "осень",
        "небо",
        "солнце",
        "звезда",
        "ночь",
        "утро",
        "вечер",
        "хлеб",
        "молоко",
        "яблоко",
        "площадь",
        "деревня",
        "река",
        "озеро",
    ]
    return [(word, "".join(CYRILLIC[letter] for letter in word)) for word in words]


def inflection() -> Pairs:
    verbs = [
        "walk",
        "call",
        "open",
        "play",
        "clean",
        "need",
        "start",
        "look",
        "want",
        "ask",
        "help",
        "jump",
        "cook",
        "paint",
        "learn",
        "wait",
    ]
    return [
        pair
        for verb in verbs
        for pair in (
            (f"{verb} V;PST", f"{verb}ed"),
            (f"{verb} V;PRS;3;SG", f"{verb}s"),
            (f"{verb} V;PTCP", f"{verb}ing"),
        )
    ]


# Text that people wrote (we did) --------------------------------------------------------------------------------------

PHONEMES = pairs_of("""
cat = kæt
thing = θɪŋ
measure = ˈmɛʒɚ
church = tʃɝtʃ
judge = dʒʌdʒ
water = ˈwɔːtɚ
better = ˈbɛɾɚ
button = ˈbʌʔn̩
little = ˈlɪɾl̩
schedule = ˈskɛdʒuːl
singing = ˈsɪŋɪŋ
yellow = ˈjɛloʊ
""")

CODE = enough(
    [
        ("define add of a and b that returns their sum", "def add(a, b):"),
        ("return the sum of a and b, inside the function", "    return a + b"),
        ("if x is negative, inside the function", "    if x < 0:"),
        ("return minus x, inside the if", "        return -x"),
        ("a comment two spaces after the value", "total = 0  # of all rows"),
        ("for each row of rows", "for row in rows:"),
        ("print row, inside the loop", "    print(row)"),
        ("skip empty rows, inside the loop", "    if not row:  continue"),
    ]
)

CHINESE = pairs_of("""
Hello, world! = 你好，世界！
I like green tea. = 我喜欢绿茶。
Where is the station? = 车站在哪里？
She said: "It is late." = 她说：“很晚了。”
We have three cats, two dogs and a bird. = 我们有三只猫、两只狗和一只鸟。
The book (the red one) is mine. = 那本书（红色的）是我的。
It rains today, so we stay at home. = 今天下雨，所以我们待在家里。
Please open the window. = 请打开窗户。
He is my teacher. = 他是我的老师。
The train leaves at eight. = 火车八点出发。
""")

JAPANESE = pairs_of("""
Good morning. = おはようございます。
This is my book. = これは私の本です。
Where is the school? = 学校はどこですか？
I drink coffee every day. = 毎日コーヒーを飲みます。
The cat sleeps on the chair. = 猫は椅子の上で寝ています。
"Thank you," he said. = 「ありがとう」と彼は言いました。
Tokyo is a big city. = 東京は大きな都市です。
I bought two apples. = りんごを二つ買いました。
""")

THAI = pairs_of("""
water = น้ำ
I drink water. = ฉันดื่มน้ำ
The weather is hot today. = วันนี้อากาศร้อน
Where is the market? = ตลาดอยู่ที่ไหน
He works at home. = เขาทำงานที่บ้าน
Thank you very much. = ขอบคุณมาก
The house is big. = บ้านหลังใหญ่
I do not know. = ฉันไม่รู้
""")

HINDI = pairs_of("""
My name is Ravi. = मेरा नाम रवि है।
Where is the station? = स्टेशन कहाँ है?
I study in the school. = मैं विद्यालय में पढ़ता हूँ।
This is a good book. = यह एक अच्छी किताब है।
The children are playing. = बच्चे खेल रहे हैं।
What time is it? = क्या बजा है?
The flower is red. = फूल लाल है।
power = शक्‍ति
""")

ARABIC = pairs_of("""
Peace be upon you. = السلام عليكم.
Where is the library? = أين المكتبة؟
I read the book, then I slept. = قرأتُ الكتاب، ثم نمت.
This is a new house. = هذا بيت جديد.
The sun is shining today. = الشمس مشرقة اليوم.
He has three children. = لديه ثلاثة أطفال.
We drink tea in the morning. = نشرب الشاي في الصباح.
Open the door, please. = افتح الباب من فضلك.
""")

PERSIAN = pairs_of("""
I go to school. = من به مدرسه می‌روم.
The books are on the table. = کتاب‌ها روی میز هستند.
What is your name? = نام شما چیست؟
The weather is good today. = امروز هوا خوب است.
They do not come. = آن‌ها نمی‌آیند.
I drink tea every day. = هر روز چای می‌نوشم.
The houses are white. = خانه‌ها سفید هستند.
We speak Persian. = ما فارسی صحبت می‌کنیم.
""")

KOREAN = pairs_of("""
Hello. = 안녕하세요.
I go to school. = 나는 학교에 갑니다.
The weather is nice today. = 오늘은 날씨가 좋습니다.
Where is the bathroom? = 화장실이 어디예요?
I like reading books. = 저는 책 읽기를 좋아합니다.
He drank two cups of coffee. = 그는 커피를 두 잔 마셨다.
Thank you. = 감사합니다.
The cat sleeps. = 고양이가 잔다.
""")

HEBREW = pairs_of("""
Good morning, mother. = בוקר טוב, אמא.
Where do you live? = איפה אתה גר?
The boy reads a book. = הילד קורא ספר.
We have a new house. = יש לנו בית חדש.
I do not drink coffee. = אני לא שותה קפה.
The train arrives at 7:30. = הרכבת מגיעה ב-7:30.
""")

VIETNAMESE = pairs_of("""
Hello, how are you? = Xin chào, bạn khỏe không?
I am learning Vietnamese. = Tôi đang học tiếng Việt.
The noodle soup is very good. = Phở rất ngon.
Where is the hospital? = Bệnh viện ở đâu?
He goes to the market every day. = Anh ấy đi chợ mỗi ngày.
The weather is cool today. = Hôm nay trời mát.
""")

YORUBA = pairs_of("""
Good morning. = Ẹ káàárọ̀.
The child is eating. = Ọmọ náà ń jẹun.
I like this book. = Mo fẹ́ràn ìwé yìí.
Where is the house? = Níbo ni ilé náà wà?
Thank you. = Ẹ ṣé.
We are going to the market. = A ń lọ sí ọjà.
""")

FRENCH = pairs_of("""
The cat sleeps. = Le chat dort.
Is it raining? = Il pleut\u202f?
The garden has 120 m². = Le jardin fait 120\u00a0m².
She said: "Come in." = Elle a dit\u00a0: «\u00a0Entrez.\u00a0»
The water boils at 100 °C. = L'eau bout à 100\u202f°C.
My heart beats. = Mon cœur bat.
We speak at 10 km/h. = On roule à 10\u202fkm/h.
Where are the children? = Où sont les enfants\u202f?
""")

GERMAN = pairs_of("""
The house is old. = Das Haus ist alt.
I like the street. = Ich mag die Straße.
Dr. Smith arrives at 3.30 p.m. = Dr. Schmidt kommt um 15.30 Uhr an.
The girls are playing. = Die Mädchen spielen.
Good morning, Mr. Miller. = Guten Morgen, Herr Müller.
We are going home. = Wir gehen nach Hause.
The book costs 4.50 euros. = Das Buch kostet 4,50 Euro.
Open the door! = Öffne die Tür!
""")

SPANISH = pairs_of("""
Where are you? = ¿Dónde estás?
Come here! = ¡Ven aquí!
The boy is running. = El niño corre.
Tomorrow we travel. = Mañana viajamos.
The coffee is hot. = El café está caliente.
I do not understand. = No entiendo.
""")

RUSSIAN = pairs_of("""
The house is big. = Дом большой.
Where is the book? = Где книга?
I love you. = Я тебя люблю.
The children are sleeping. = Дети спят.
He reads a newspaper. = Он читает газету.
Winter is cold. = Зима холодная.
""")

CHAT = pairs_of("""
great job! = 👍🏽 bravo !
our family = notre famille 👨‍👩‍👧
I love it = j'adore ❤️
she works from home = elle travaille à la maison 👩🏽‍💻
see you soon = à bientôt 😀
from Scotland = d'Écosse 🏴󠁧󠁢󠁳󠁣󠁴󠁿
""")

STRINGS = pairs_of("""
Open file = Ouvrir le fichier
Save = Enregistrer
%d files were deleted = %d fichiers ont été supprimés
Press & hold = Maintenir appuyé
Hello {name} = Bonjour {name}
Cancel = Annuler
Are you sure? = Êtes-vous sûr ?
Undo = Défaire
""")

PARAGRAPHS = enough(
    [
        ("The sun rises. It is warm. We go out.", "Le soleil se lève. Il fait chaud. Nous sortons."),
        ("The cat is hungry. It eats a fish.", "Le chat a faim. Il mange un poisson."),
        (
            "She reads a letter. Then she smiles. Nobody knows why.",
            "Elle lit une lettre. Puis elle sourit. Nul ne sait.",
        ),
        ("It is late. The shops are closed.", "Il est tard. Les magasins sont fermés."),
        ("He left. I stayed. The rain fell.", "Il est parti. Je suis resté. La pluie tombait."),
        ("Take the bus. Get off at the river.", "Prenez le bus. Descendez à la rivière."),
    ]
)

TOKENISED = pairs_of("""
we do n't know . = nous ne savons pas .
the cat 's milk is cold . = le lait du chat est froid .
l ' eau is French for water . = « l' eau » signifie water .
ten-year-old boys run . = des garçons de dix ans courent .
it is 5 % . = c' est 5 % .
come in ! = entrez !
""")

VERSES = [
    ("In the beginning was a word.", "Au début était un mot."),
    ("And the word was short, and all could say it.", "Et le mot était court, et tous pouvaient le dire."),
    ("They said it in the morning.", "Ils le disaient le matin."),
    ("They said it at night.", "Ils le disaient la nuit."),
    ("Then came a second word.", "Puis vint un second mot."),
    ("And the people wrote both down.", "Et le peuple les écrivit tous deux."),
    ("The first was spoken.", "Le premier fut dit."),
    ("The second was kept.", "Le second fut gardé."),
    ("A child asked for a third.", "Un enfant en demanda un troisième."),
    ("There was none.", "Il n'y en avait pas."),
    ("So they made one.", "Alors ils en firent un."),
]


# Files ----------------------------------------------------------------------------------------------------------------


def tmx(pairs: Pairs, source: str, target: str) -> bytes:
    units = "".join(
        f'<tu><tuv xml:lang="{source}"><seg>{escape(one)}</seg></tuv>'
        f'<tuv xml:lang="{target}"><seg>{escape(two)}</seg></tuv></tu>\n'
        for one, two in pairs
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4"><header srclang="{source}" segtype="sentence" '
        f'datatype="plaintext" adminlang="en" creationtool="own" creationtoolversion="1" o-tmf="own"/><body>\n{units}'
        "</body></tmx>\n"
    ).encode()


def xliff(pairs: Pairs, source: str, target: str) -> bytes:
    units = "".join(
        f'<trans-unit id="{number}"><source>{escape(one)}</source><target>{escape(two)}</target></trans-unit>\n'
        for number, (one, two) in enumerate(pairs)
    )
    return (
        '<?xml version="1.0"?>\n<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">\n'
        f'<file original="app" datatype="plaintext" source-language="{source}" target-language="{target}"><body>\n'
        f"{units}</body></file></xliff>\n"
    ).encode()


def po(pairs: Pairs, language: str) -> bytes:
    head = f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    return (head + "".join(f'\nmsgid "{one}"\nmsgstr "{two}"\n' for one, two in pairs)).encode()


def sgm(texts: list[str], kind: str, language: str) -> bytes:
    segments = "".join(f'<seg id="{number}">{escape(text)}</seg>\n' for number, text in enumerate(texts, start=1))
    return (
        f'<{kind} setid="own" srclang="en" trglang="{language}">\n<doc docid="one" sysid="ref">\n<p>\n{segments}'
        f"</p>\n</doc>\n</{kind}>\n"
    ).encode()


def moses_zip(pairs: Pairs, name: str, source: str, target: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("README", "Our own text.\n")
        archive.writestr(f"{name}.{source}-{target}.{source}", side(pairs, 0))
        archive.writestr(f"{name}.{source}-{target}.{target}", side(pairs, 1))
    return content.getvalue()


def with_ranges(pairs: Pairs) -> tuple[bytes, bytes, Pairs]:
    """Verses in eBible's layout, the fourth written together with the third on the source side."""
    source = [one for one, _ in pairs]
    merged = [*pairs[:2], (f"{source[2]} {source[3]}", f"{pairs[2][1]} {pairs[3][1]}"), *pairs[4:]]
    source[2:4] = [merged[2][0], "<range>"]
    return "".join(f"{line}\n" for line in source).encode(), side(pairs, 1), merged


def jsonl(pairs: Pairs, source: str, target: str) -> bytes:
    rows = ({"id": number, "translation": {source: one, target: two}} for number, (one, two) in enumerate(pairs))
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def quoted(pairs: Pairs, header: tuple[str, str]) -> bytes:
    content = io.StringIO()
    csv.writer(content, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([header, *pairs])
    return content.getvalue().encode()


# The kinds ------------------------------------------------------------------------------------------------------------

_BIBLE_SOURCE, _BIBLE_TARGET, _BIBLE_PAIRS = with_ranges(VERSES)

KINDS: tuple[Kind, ...] = (
    Kind(
        "Dates to ISO 8601",
        {"dates.tsv": table(dates(), header=("en", "iso"))},
        "dates.tsv subword.model_type=char training.metric=exact",
        dates(),
        "`4 March 2011` becomes `2011-03-04`; the best checkpoint is the one with the most lines that match exactly",
    ),
    Kind(
        "Numbers to words",
        {"train.num": side(numbers(), 0), "train.words": side(numbers(), 1)},
        "train.num train.words subword.model_type=char training.metric=exact",
        numbers(),
        "`40868` becomes `forty thousand eight hundred and sixty-eight`: how long an output may be is learnt from the "
        "training pairs",
    ),
    Kind(
        "Transliteration",
        {"names.tsv": table(transliteration())},
        "names.tsv data.source=ru data.target=latin subword.model_type=char training.metric=cer",
        transliteration(),
        "`земля` becomes `zemlya`; scored by character error rate",
    ),
    Kind(
        "Grapheme to phoneme",
        {"train.en": side(PHONEMES, 0), "train.ipa": side(PHONEMES, 1)},
        "train.en train.ipa subword.model_type=char training.metric=wer",
        PHONEMES,
        "every IPA letter, length mark, stress mark and combining mark can be produced",
    ),
    Kind(
        "Inflection",
        {"forms.tsv": table(inflection(), header=("lemma", "form"))},
        "forms.tsv data.source=lemma data.target=form subword.model_type=char training.metric=exact",
        inflection(),
        "`walk V;PST` becomes `walked`",
    ),
    Kind(
        "Instructions to code",
        {"train.nl": side(CODE, 0), "train.py": side(CODE, 1)},
        "train.nl train.py subword.normalization=identity training.metric=exact",
        CODE,
        "indentation and runs of spaces survive",
    ),
    Kind(
        "Chinese",
        {"train.en": side(CHINESE, 0), "train.zh": side(CHINESE, 1)},
        "train.en train.zh",
        CHINESE,
        "BLEU with sacreBLEU's tokenizer for Chinese; full-width commas and quotes can be produced; one character is "
        "one word in alignments",
        "tok:zh",
    ),
    Kind(
        "Japanese",
        {"pairs.en-ja.tsv": table(JAPANESE)},
        "pairs.en-ja.tsv",
        JAPANESE,
        "BLEU with `ja-mecab` if the extra `ja` is installed, else on characters, and one line says which",
        "tok:",
    ),
    Kind(
        "Thai",
        {"train.en": side(THAI, 0), "train.th": side(THAI, 1)},
        "train.en train.th",
        THAI,
        "sara am and tone marks survive; BLEU on characters",
        "tok:char",
    ),
    Kind(
        "Hindi",
        {"train.en": side(HINDI, 0), "train.hi": side(HINDI, 1)},
        "train.en train.hi",
        HINDI,
        "joiners survive; a line is split at the danda if it holds more sentences than training lines did",
    ),
    Kind(
        "Arabic",
        {"train.en": side(ARABIC, 0), "train.ar": side(ARABIC, 1)},
        "train.en train.ar",
        ARABIC,
        "vowel marks and Arabic punctuation survive",
    ),
    Kind(
        "Persian",
        {"train.en": side(PERSIAN, 0), "train.fa": side(PERSIAN, 1)},
        "train.en train.fa",
        PERSIAN,
        "zero-width non-joiners (`می‌روم`) can be produced",
    ),
    Kind(
        "Hebrew",
        {"train.en": side(HEBREW, 0), "train.he": side(HEBREW, 1)},
        "train.en train.he",
        HEBREW,
        "right-to-left text needs no marks, and marks from web pages are removed",
    ),
    Kind(
        "Korean",
        {"train.en": side(KOREAN, 0), "train.ko": side(KOREAN, 1)},
        "train.en train.ko",
        KOREAN,
        "decomposed and composed Hangul are the same text; BLEU with `ko-mecab` if the extra `ko` is installed",
        "tok:",
    ),
    Kind(
        "Vietnamese",
        {"train.en": side(VIETNAMESE, 0), "train.vi": side(VIETNAMESE, 1)},
        "train.en train.vi",
        VIETNAMESE,
        "letters with two marks survive",
    ),
    Kind(
        "Yoruba (few pairs, tone marks)",
        {"yo.csv": quoted(YORUBA, ("en", "yo"))},
        "yo.csv",
        YORUBA,
        "combining tone marks survive",
    ),
    Kind(
        "French typography and units",
        {"train.en": side(FRENCH, 0), "train.fr": side(FRENCH, 1)},
        "train.en train.fr",
        FRENCH,
        "narrow no-break spaces, `m²` and `œ` can be produced",
    ),
    Kind(
        "German, compressed",
        {"train.en.gz": gzip.compress(side(GERMAN, 0)), "train.de.xz": lzma.compress(side(GERMAN, 1))},
        "train.en.gz train.de.xz",
        GERMAN,
        "`.gz`, `.bz2`, `.xz` and `.zst` are read as they are; `Dr.` and `3.30` end no sentence",
    ),
    Kind(
        "Spanish, from a spreadsheet",
        {"export.csv": quoted(SPANISH, ("English", "Spanish"))},
        "export.csv data.source=English data.target=Spanish",
        SPANISH,
        "a CSV file with a header and quoted fields; the two languages are the names of its columns",
    ),
    Kind(
        "Russian, UTF-16 from an office program",
        {f"train.{name}": side(RUSSIAN, place).decode().encode("utf-16") for place, name in enumerate(("en", "ru"))},
        "train.en train.ru",
        RUSSIAN,
        "UTF-16 is recognised and read",
    ),
    Kind(
        "Spanish, in a legacy encoding",
        {"train.en": side(SPANISH, 0), "train.es": side(SPANISH, 1).decode().encode("latin-1")},
        "train.en train.es data.encoding=latin-1",
        SPANISH,
        "refused with the likely encoding and the setting to write, then read",
    ),
    Kind(
        "Chat with emoji",
        {"chat.jsonl": jsonl(CHAT, "en", "fr")},
        "chat.jsonl data.source=en data.target=fr",
        CHAT,
        "emoji made of several code points survive whole",
    ),
    Kind(
        "A data set hub's JSON lines",
        {"train.jsonl": jsonl(GERMAN, "en", "de")},
        "train.jsonl data.source=en data.target=de",
        GERMAN,
        '`{"translation": {"en": ..., "de": ...}}`, or two keys',
    ),
    Kind(
        "Software strings (gettext)",
        {"fr.po": po(STRINGS, "fr")},
        "fr.po data.source=en data.target=fr",
        STRINGS,
        "trains on a PO file, and `nmt translate -i other.po -o out.po` fills another one",
    ),
    Kind(
        "Software strings (XLIFF)",
        {"app.xlf": xliff(STRINGS, "en-US", "fr-FR")},
        "app.xlf data.source=en data.target=fr",
        STRINGS,
        "XLIFF 1.2 and 2.0; region codes match by their language",
    ),
    Kind(
        "A translator's memory",
        {"memory.tmx": tmx(FRENCH, "en-GB", "fr-FR")},
        "memory.tmx data.source=en data.target=fr",
        FRENCH,
        "TMX of any size, read unit by unit",
    ),
    Kind(
        "Bible verses (eBible)",
        {"eng-own.txt": _BIBLE_SOURCE, "fra-own.txt": _BIBLE_TARGET},
        "eng-own.txt fra-own.txt",
        _BIBLE_PAIRS,
        "verses marked `<range>` belong to the verse before",
    ),
    Kind(
        "Subtitles (OPUS archive)",
        {"en-de.txt.zip": moses_zip(GERMAN, "Talks", "en", "de")},
        "en-de.txt.zip data.source=en data.target=de",
        GERMAN,
        "read from the .zip as it comes; `nmt translate -i film.srt` keeps numbers and times",
    ),
    Kind(
        "A WMT test set",
        {
            "own-src.en.sgm": sgm([one for one, _ in GERMAN], "srcset", "de"),
            "own-ref.de.sgm": sgm([two for _, two in GERMAN], "refset", "de"),
        },
        "own-src.en.sgm own-ref.de.sgm",
        GERMAN,
        "segments, not markup",
    ),
    Kind(
        "OpenNMT's file names",
        {"src-train.txt": side(GERMAN, 0), "tgt-train.txt": side(GERMAN, 1)},
        "src-train.txt tgt-train.txt",
        GERMAN,
        "any two files of equal length",
    ),
    Kind(
        "FLORES",
        {"eng_Latn.dev": side(CHINESE, 0), "zho_Hans.dev": side(CHINESE, 1)},
        "eng_Latn.dev zho_Hans.dev",
        CHINESE,
        "language codes of three letters and a script are understood",
        "tok:zh",
    ),
    Kind(
        "Word-aligner input",
        {"corpus.en-de": table(GERMAN, " ||| ")},
        "corpus.en-de data.source=en data.target=de",
        GERMAN,
        "`source ||| target`",
    ),
    Kind(
        "Shards",
        {
            "c.yaml": b"data: {source: en, target: de, train: 'part-*.tsv.bz2', hold_out: 2}\n",
            "part-1.tsv.bz2": bz2.compress(table(GERMAN[:4])),
            "part-2.tsv.bz2": bz2.compress(table(GERMAN[4:])),
        },
        "c.yaml training.max_steps=1000",
        GERMAN,
        "`data.train: part-*.tsv.bz2` names them all, in the order of their names",
    ),
    Kind(
        "Paragraphs",
        {"train.en": side(PARAGRAPHS, 0), "train.fr": side(PARAGRAPHS, 1)},
        "train.en train.fr",
        PARAGRAPHS,
        "lines with as many sentences as those in training are translated whole; longer ones are split",
    ),
    Kind(
        "Text that another tool has tokenised",
        {"train.en": side(TOKENISED, 0), "train.fr": side(TOKENISED, 1)},
        "train.en train.fr",
        TOKENISED,
        "`nmt align --words spaces` counts words as that tool does",
    ),
)
