"""Numbers in words, clock times, and dates."""

EN_UNITS = [
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
EN_TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
FR_UNITS = [
    "zéro",
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
    "quinze",
    "seize",
    "dix-sept",
    "dix-huit",
    "dix-neuf",
]
FR_TENS = ["-", "-", "vingt", "trente", "quarante", "cinquante", "soixante", "soixante", "quatre-vingt", "quatre-vingt"]


def english_number(value: int) -> str:
    """Cardinal in words, up to 9999."""
    if value < 20:
        return EN_UNITS[value]
    if value < 100:
        return EN_TENS[value // 10] + (f"-{EN_UNITS[value % 10]}" if value % 10 else "")
    scale, word = (1000, "thousand") if value >= 1000 else (100, "hundred")
    head, rest = divmod(value, scale)
    tail = (" and " if scale == 100 or rest < 100 else " ") + english_number(rest) if rest else ""
    return f"{english_number(head)} {word}{tail}"


def french_tens(value: int) -> str:
    """Cardinal from 20 to 99."""
    tens, unit = divmod(value, 10)
    if tens in (7, 9):
        tens, unit = tens - 1, unit + 10
    base = FR_TENS[tens]
    if unit == 0:
        return base + ("s" if tens == 8 else "")
    if unit in (1, 11) and tens != 8:
        return f"{base} et {FR_UNITS[unit]}"
    return f"{base}-{FR_UNITS[unit]}"


def french_number(value: int) -> str:
    """Cardinal in words (masculine), up to 9999."""
    if value < 20:
        return FR_UNITS[value]
    if value < 100:
        return french_tens(value)
    scale, word = (1000, "mille") if value >= 1000 else (100, "cent")
    head, rest = divmod(value, scale)
    lead = word if head == 1 else f"{french_number(head)} {word}"
    if rest == 0:
        return lead + ("s" if scale == 100 and head > 1 else "")
    return f"{lead} {french_number(rest)}"


def feminine(number: str) -> str:
    """A French cardinal that ends in `un` before a feminine noun."""
    return number + "e" if number == "un" or number.endswith((" un", "-un")) else number


def clock(hour: int, minute: int) -> list[tuple[str, str]]:
    """A time of day (minute a multiple of five) as aligned pieces in English order; bars: how late French says it."""
    if hour in (0, 12):
        name = ("midnight", "minuit") if hour == 0 else ("noon", "midi")
        return [name]
    fr = ("une heure" if hour == 1 else f"{french_number(hour)} heures").split(" ", 1)
    en_hour = english_number(hour)
    pieces = {
        0: [(en_hour, fr[0]), ("o'clock", fr[1])],
        15: [("quarter past", "|et quart"), (en_hour, f"{fr[0]} {fr[1]}")],
        30: [("half past", "|et demie"), (en_hour, f"{fr[0]} {fr[1]}")],
        45: [("quarter to", "|moins le quart"), (en_hour, f"{fr[0]} {fr[1]}")],
    }
    if minute in pieces:
        return pieces[minute]
    late = minute > 30
    amount = 60 - minute if late else minute
    side = ("to", "moins") if late else ("past", "")
    return [
        (english_number(amount), f"||{french_number(amount)}"),
        (side[0], f"|{side[1]}"),
        (en_hour, f"{fr[0]} {fr[1]}"),
    ]
