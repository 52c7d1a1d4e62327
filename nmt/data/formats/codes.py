"""Language codes and names as files write them: `en`, `en-US`, `eng_Latn`, `English`."""

# English names of languages as they stand in the header of a table.
NAMES = {
    "afrikaans": "af", "albanian": "sq", "amharic": "am", "arabic": "ar", "armenian": "hy", "azerbaijani": "az",
    "basque": "eu", "belarusian": "be", "bengali": "bn", "bosnian": "bs", "bulgarian": "bg", "burmese": "my",
    "catalan": "ca", "chinese": "zh", "croatian": "hr", "czech": "cs", "danish": "da", "dutch": "nl",
    "english": "en", "esperanto": "eo", "estonian": "et", "finnish": "fi", "french": "fr", "galician": "gl",
    "georgian": "ka", "german": "de", "greek": "el", "gujarati": "gu", "hausa": "ha", "hebrew": "he",
    "hindi": "hi", "hungarian": "hu", "icelandic": "is", "igbo": "ig", "indonesian": "id", "irish": "ga",
    "italian": "it", "japanese": "ja", "kannada": "kn", "kazakh": "kk", "khmer": "km", "korean": "ko",
    "lao": "lo", "latin": "la", "latvian": "lv", "lithuanian": "lt", "macedonian": "mk", "malay": "ms",
    "malayalam": "ml", "maltese": "mt", "marathi": "mr", "mongolian": "mn", "nepali": "ne", "norwegian": "no",
    "persian": "fa", "polish": "pl", "portuguese": "pt", "punjabi": "pa", "romanian": "ro", "russian": "ru",
    "serbian": "sr", "sinhala": "si", "slovak": "sk", "slovenian": "sl", "somali": "so", "spanish": "es",
    "swahili": "sw", "swedish": "sv", "tagalog": "tl", "tamil": "ta", "telugu": "te", "thai": "th",
    "tibetan": "bo", "turkish": "tr", "ukrainian": "uk", "urdu": "ur", "uzbek": "uz", "vietnamese": "vi",
    "welsh": "cy", "xhosa": "xh", "yoruba": "yo", "zulu": "zu",
}  # fmt: skip


def normal(code: str) -> str:
    """Normalise to lower case with hyphens; a name becomes its code: `pt_BR` -> `pt-br`, `French` -> `fr`."""
    code = code.strip().lower().replace("_", "-")
    return NAMES.get(code, code)


def same_language(wanted: str, found: str) -> bool:
    """Return whether a code in a file is the wanted language; a region or script may be missing: `en` and `en-US`."""
    one, other = normal(wanted), normal(found)
    return bool(one) and bool(other) and (one == other or other.startswith(f"{one}-") or one.startswith(f"{other}-"))


def other_language(wanted: str, found: str) -> bool:
    """Return whether a code in a file surely is another language than the wanted one: both look like languages, and
    differ."""
    return is_code(wanted) and is_code(found) and not same_language(wanted, found)


def language_index(wanted: str, found: list[str]) -> int | None:
    """Return the place of the wanted language among codes: the same code if there is one, else the first that fits."""
    for place, code in enumerate(found):
        if normal(code) == normal(wanted):
            return place
    return next((place for place, code in enumerate(found) if same_language(wanted, code)), None)


def is_code(text: str) -> bool:
    """Return whether a word looks like a language: `en`, `deu`, `pt-BR`, `zho_Hans` or an English name of a
    language."""
    if text.strip().lower() in NAMES:
        return True
    first, *subtags = normal(text).split("-")
    if not (2 <= len(first) <= 3 and first.isalpha() and first.isascii()):
        return False
    return all(2 <= len(subtag) <= 4 and subtag.isalnum() and subtag.isascii() for subtag in subtags)
