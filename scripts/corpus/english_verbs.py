"""English verb forms."""

VOWELS = "aeiou"
IRREGULAR_TABLE = """
have had had; go went gone; do did done; make made made; come came come; see saw seen; take took taken;
put put put; say said said; tell told told; read read read; write wrote written; drink drank drunk; eat ate eaten;
know knew known; think thought thought; give gave given; find found found; buy bought bought; sell sold sold;
leave left left; sleep slept slept; run ran run; drive drove driven; speak spoke spoken; lose lost lost;
win won won; send sent sent; pay paid paid; sing sang sung; swim swam swum; wear wore worn; meet met met;
hear heard heard; break broke broken; forget forgot forgotten; understand understood understood; build built built;
get got got; begin began begun; sit sat sat; bring brought brought; teach taught taught; become became become;
choose chose chosen; spend spent spent; fall fell fallen; draw drew drawn; catch caught caught; feel felt felt;
hide hid hidden; lend lent lent; keep kept kept; hurt hurt hurt; cut cut cut; show showed shown; hold held held;
steal stole stolen; wake woke woken; throw threw thrown; feed fed fed
"""
IRREGULAR = {parts[0]: (parts[1], parts[2]) for parts in (x.split() for x in IRREGULAR_TABLE.split(";"))}
DOUBLED = {
    "stop",
    "plan",
    "shop",
    "put",
    "run",
    "swim",
    "sit",
    "win",
    "get",
    "begin",
    "forget",
    "cut",
    "travel",
    "prefer",
    "cancel",
}
BE = {
    "present": ("am", "are", "is", "are", "are", "are"),
    "past": ("was", "were", "was", "were", "were", "were"),
}


def third(verb: str) -> str:
    """Third person singular of the present."""
    if verb == "have":
        return "has"
    if verb.endswith(("s", "sh", "ch", "x", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb[:-1] + "ies"
    return verb + "s"


def regular_past(verb: str) -> str:
    """Regular past form."""
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb[:-1] + "ied"
    return verb + (verb[-1] if verb in DOUBLED else "") + "ed"


def past(verb: str) -> str:
    """Simple past (not for `be`)."""
    return IRREGULAR[verb][0] if verb in IRREGULAR else regular_past(verb)


def participle(verb: str) -> str:
    """Past participle."""
    if verb == "be":
        return "been"
    return IRREGULAR[verb][1] if verb in IRREGULAR else regular_past(verb)


def gerund(verb: str) -> str:
    """The -ing form."""
    if verb == "be":
        return "being"
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return verb + (verb[-1] if verb in DOUBLED else "") + "ing"
