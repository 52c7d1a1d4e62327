"""Languages by their codes and by their scripts: what a file ending, a code or a text says about the language.

A language is a two-letter code (ISO 639-1) where there is one, such as `zh` for `cmn`, `zho_Hans` and `zh-CN`, else a
three-letter code (ISO 639-3), such as `yue`; "" is unknown.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import islice

LINES = 500  # enough to tell the script of a text
ENOUGH = 0.3  # share of the letters that decides on the script: words in Latin letters have more of them
SOME_KANA = 0.05  # share of the letters: Japanese mixes kana and Han, Chinese has no kana

# Two-letter code, then the three-letter codes of the same language and of its largest varieties.
_TABLE = """
aa aar|ab abk|ae ave|af afr|ak aka|am amh|an arg|ar ara arb arz ary apc acm acq aeb ajp ars|as asm|av ava|ay aym ayr
az aze azj azb|ba bak|be bel|bg bul|bh bih|bi bis|bm bam|bn ben|bo bod tib|br bre|bs bos|ca cat|ce che|ch cha|co cos
cr cre|cs ces cze|cu chu|cv chv|cy cym wel|da dan|de deu ger|dv div|dz dzo|ee ewe|el ell gre|en eng|eo epo|es spa
et est ekk|eu eus baq|fa fas per pes prs|ff ful fuv|fi fin|fj fij|fo fao|fr fra fre|fy fry|ga gle
gd gla|gl glg|gn grn gug|gu guj
gv glv|ha hau|he heb iw|hi hin|ho hmo|hr hrv|ht hat|hu hun|hy hye arm|hz her|ia ina|id ind|ie ile|ig ibo|ii iii|ik ipk
io ido|is isl ice|it ita|iu iku|ja jpn jp|jv jav|ka kat geo|kg kon|ki kik|kj kua|kk kaz|kl kal|km khm|kn kan|ko kor
ks kas|ku kur kmr|kv kom|kw cor|ky kir|la lat|lb ltz|lg lug|li lim|ln lin|lo lao|lt lit|lu lub|lv lav lvs|mg mlg plt
mh mah|mi mri mao|mk mkd mac|ml mal|mn mon khk|mr mar|ms msa may zsm|mt mlt|my mya bur|na nau|nb nob|nd nde|ne nep npi
ng ndo|nl nld dut|nn nno|no nor|nr nbl|nv nav|ny nya|oc oci|oj oji|om orm gaz|or ori ory|os oss|pa pan|pi pli|pl pol
ps pus pbt|pt por|qu que quy|rm roh|rn run|ro ron rum|ru rus|rw kin|sa san|sc srd|sd snd|se sme|sg sag|si sin|sk slk slo
sl slv|sm smo|sn sna|so som|sq sqi alb als|sr srp|ss ssw|st sot|su sun|sv swe|sw swa swh|ta tam|te tel|tg tgk|th tha
ti tir|tk tuk|tl tgl fil|tn tsn|to ton|tr tur|ts tso|tt tat|tw twi|ty tah|ug uig|uk ukr|ur urd|uz uzb uzn|ve ven|vi vie
vo vol|wa wln|wo wol|xh xho|yi yid ydd|yo yor|za zha|zh zho chi cmn cn|zu zul
yue|wuu|nan|hak|gan|hsn|cjy|lzh|shn|mnw|ceb|haw|hmn|ilo|war|kab|ber|tzm|zgh|szl|hsb|dsb|fur|lij|lmo|scn|vec|ast|sco|gsw
bar|nds|kmb|umb|nso|nqo|mai|bho|awa|mag|hne|sat|brx|doi|kok|gom|mni|lus|kha|crh|tyv|sah|chv|udm|myv|mdf|kpv|koi|mhr|mrj|krc
kum|ckb|diq|arn|nah|nhn|quz|cab|kek|mam|tpi|pap|grc|got|ang|syr|cop|tlh|kac|bug|ace|ban|min|bjn|pag|pam|bik|bcl|hil|mos|fon|dyu
din|nus|luo|kam|kbp|cjk|tum|bem|lua|taq|knc|ltg
"""
_CODES = {
    code: names[0]
    for names in (entry.split() for entry in reversed(_TABLE.replace("\n", "|").split("|")) if entry)
    for code in names
}
_OF_SCRIPTS = {
    "Hans": "zh", "Hant": "zh", "Hani": "zh", "Jpan": "ja", "Hira": "ja", "Kana": "ja", "Thai": "th", "Laoo": "lo",
    "Khmr": "km", "Mymr": "my", "Tibt": "bo",
}  # fmt: skip
_OTHER_SCRIPTS = """
Adlm Arab Aran Armn Beng Cans Cher Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hebr Knda Kore Latn Mlym Mong Mtei Nkoo
Olck Orya Rohg Sinh Sund Syrc Taml Telu Tfng Thaa Yiii
"""

_NAMES = """
af Afrikaans|am Amharic|ar Arabic|az Azerbaijani|be Belarusian|bg Bulgarian|bn Bengali|bo Tibetan|bs Bosnian|ca Catalan
cs Czech|cy Welsh|da Danish|de German|dz Dzongkha|el Greek|en English|eo Esperanto|es Spanish|et Estonian|eu Basque
fa Persian|fi Finnish|fo Faroese|fr French|fy Western Frisian|ga Irish|gd Scottish Gaelic|gl Galician|gu Gujarati
ha Hausa|he Hebrew|hi Hindi|hr Croatian|ht Haitian Creole|hu Hungarian|hy Armenian|id Indonesian|ig Igbo|is Icelandic
it Italian|ja Japanese|jv Javanese|ka Georgian|kk Kazakh|km Khmer|kn Kannada|ko Korean|ku Kurdish|ky Kyrgyz|la Latin
lb Luxembourgish|lo Lao|lt Lithuanian|lv Latvian|mg Malagasy|mi Maori|mk Macedonian|ml Malayalam|mn Mongolian
mr Marathi|ms Malay|mt Maltese|my Burmese|nb Norwegian Bokmål|ne Nepali|nl Dutch|nn Norwegian Nynorsk|no Norwegian
oc Occitan|pa Punjabi|pl Polish|ps Pashto|pt Portuguese|ro Romanian|ru Russian|rw Kinyarwanda|sa Sanskrit|sd Sindhi
si Sinhala|sk Slovak|sl Slovenian|so Somali|sq Albanian|sr Serbian|sv Swedish|sw Swahili|ta Tamil|te Telugu|tg Tajik
th Thai|ti Tigrinya|tk Turkmen|tl Tagalog|tr Turkish|tt Tatar|ug Uyghur|uk Ukrainian|ur Urdu|uz Uzbek|vi Vietnamese
xh Xhosa|yi Yiddish|yo Yoruba|yue Cantonese|zh Chinese|zu Zulu
"""
_NAME_OF = dict(entry.split(" ", 1) for entry in _NAMES.strip().replace("\n", "|").split("|"))

HAN = {"zh", "yue", "wuu", "nan", "hak", "gan", "hsn", "cjy", "lzh"}  # Chinese languages
WITHOUT_SPACES = HAN | {"ja", "th", "lo", "km", "my", "shn", "mnw", "bo", "dz"}  # no spaces between words

_OF_NAMES = {"CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "THAI": "th", "LAO": "lo", "KHMER": "km",
             "MYANMAR": "my", "TIBETAN": "bo"}  # fmt: skip


def language_of(name: str) -> str:
    """Return the language of a code or of a file ending such as `cmn`, `zho_Hans`, `zh-CN`, `pt_BR` or `zh.txt`; ""
    if it names none."""
    return next(filter(None, map(_of_code, reversed(name.split(".")))), "")


def name_of(code: str) -> str:
    """Return the English name of a language; the code itself for one that has no name here."""
    return _NAME_OF.get(code, code)


def language_of_file(name: str) -> str:
    """Return the language that a file's name tells: that of the last part that is a code, as in `test.zh`,
    `ref.zh.txt.gz` and `zho_Hans.dev`; "" if it names none. The first part counts only with a script or region:
    `it.txt` is not Italian."""
    first, *endings = name.split(".")
    found = next(filter(None, map(_of_code, reversed(endings))), "")
    return found or (_of_code(first) if re.fullmatch(r"[a-z]{2,3}[-_](?:[A-Z]{2}|[A-Z][a-z]{3})", first) else "")


def _of_code(code: str) -> str:
    """Return the language of one code, with its script and region if it has them. A script may tell that a language
    is written otherwise than it usually is: `nan_Latn` has spaces between words, and so none of the languages here."""
    first, *tags = re.split("[-_@]", code)
    language, scripts = _CODES.get(first.lower(), ""), {tag.title() for tag in tags if len(tag) == 4}
    # Each tag is a region, a number or a script, as in `es-419` and `zh-Hans-CN`.
    others = [tag.title() for tag in tags if not re.fullmatch(r"[A-Za-z]{2}|\d{3}", tag)]
    known = all(len(tag) == 4 and (tag in _OF_SCRIPTS or tag in _OTHER_SCRIPTS) for tag in others)
    if not re.fullmatch("[A-Za-z]{2,3}", first) or not known:
        return ""
    if written := scripts & _OF_SCRIPTS.keys():
        return language if language in WITHOUT_SPACES else _OF_SCRIPTS[written.pop()]
    return "" if scripts and language in WITHOUT_SPACES else language


def language_of_text(lines: Iterable[str]) -> str:
    """Return the language of a text whose script tells it: Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese,
    Tibetan; else "". Reads the first lines only."""
    counts: Counter[str] = Counter()
    for character, count in Counter("".join(islice(lines, LINES))).items():
        if unicodedata.category(character)[0] in "LM":
            script = re.split("[ -]", unicodedata.name(character, ""))[0]
            counts[_OF_NAMES.get(script, "")] += count
    total = sum(counts.values())
    del counts[""]
    if counts["ja"] > SOME_KANA * total and counts["ja"] + counts["zh"] > ENOUGH * total:
        return "ja"
    language, count = max(counts.items(), key=lambda item: item[1], default=("", 0))
    return language if count > ENOUGH * total else ""


def check_language(code: str) -> str:
    """Return the language that a user names by its code. Raises ValueError if it is no code."""
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_@.][A-Za-z0-9-]+)*", code):
        raise ValueError(f"{code!r} is not a language code; give one such as en, zh or pt-BR")
    return language_of(code) or code.lower()[:3].strip("-_@.")


def find_language(named: str, ending: str, lines: Iterable[str]) -> str:
    """Return the language of a text: the one that the user named, else that of its file ending, else that of its
    script."""
    return check_language(named) if named else language_of(ending) or language_of_text(lines)
