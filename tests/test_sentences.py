"""Where sentences end: a golden table in many scripts. `|` marks the ends."""

import pytest

from nmt.data.sentences import count_sentences, split_sentences

TABLE = [
    "",
    "   ",
    "One.",
    "I love you. |We see the house.",
    " One.  |Two. ",
    "Really?! |Yes... no. |Wait... |What?",
    'He said "no!" |Then he left. |"Why?" she said. |(She stayed.) |End.',
    "i love you. |we see the house. |yes.",  # lower case throughout
    "He said no . |Then he left .",  # tokenised
    "I love you.|We see. |Done!|Now go.",  # a space was forgotten
    # no ends: abbreviations, initials, decimals, file names, ordinals
    "Mr. Smith met Dr. J. Brown. |He left.",
    "Pi is 3.14 and e is 2.72 or so.",
    "We use z.B. Apfel, e.g. Node.js, in README.md today.",
    "See README.md. |Go to www.a.com. |Yes.",
    "No. |We see. |No. 5 is on pp. 3-7. |Ok.",
    "The U.S. Army left. |He came to the U.S. |We left at 5 p.m. |They too.",
    "1. Introduction to it. |Next one.",
    "Am 3. Oktober kam er. |Der 2. Weltkrieg begann. |I have 3. |They have 4.",
    # other languages and scripts
    "Il dit : « Viens ! » |Puis il part.",
    "¿Qué tal? |¡Bien! |Vamos.",
    "一二。|三四！|“你好！”他说。|五？|六",
    "你好!|我们走。|圆周率是３．１４。",
    "「行くよ！」と言った。|寝る。",
    "तुम हो। |मैं हूँ। |अच्छा॥",
    "هل تحب؟ |نعم. |لا۔ |ہاں",
    "សួស្តី។ |ខ្ញុំ៕",
    "ሰላም። |ነው፧ |እሺ",
    "မင်္ဂလာပါ။ |နေကောင်းလား။",
    "Բարև։ |Այո։",
    "Τι κάνεις; |Καλά.",
    "안녕하세요. |나는 간다. |좋아!",
    "ฉันรักคุณ |เราเห็นบ้าน",  # a space is all that Thai has
    "ฉันมี 3 บ้าน",
    "Он живёт на ул. Ленина. |Я тоже.",
]


@pytest.mark.parametrize("marked", TABLE, ids=[ascii(line)[:40] for line in TABLE])
def test_sentences(marked: str) -> None:
    expected = marked.split("|")
    line = "".join(expected)
    assert split_sentences(line) == expected
    assert count_sentences(line) == len(expected)
    assert "".join(split_sentences(line)) == line


def test_a_thousand_sentences_are_a_thousand() -> None:
    assert count_sentences(" ".join(["I love you."] * 1000)) == 1000
    assert count_sentences("我爱你。" * 1000) == 1000
