"""Asks a server through Weblate's classes for LibreTranslate and DeepL, and prints a JSON object of what they return.

Usage: python weblate_machinery.py URL. Weblate itself needs a database and ninety packages. Its two classes and their
base class are used as they are; what they import of the rest has nothing to do with the server, and is replaced here.
"""

import json
import pathlib
import re
import sys
import types
import warnings
from unittest import mock

import weblate
from django.conf import settings

warnings.simplefilter("ignore")
settings.configure(CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}, USE_I18N=False)


def highlighted(text: str, unit: object, **_: object) -> list:
    return [(found.start(), found.end(), found[0]) for found in re.finditer(r"%\w", text)]


REPLACED = {
    "weblate.checks": {},
    "weblate.checks.utils": {"highlight_string": highlighted},
    "weblate.glossary": {},
    "weblate.glossary.models": {"get_glossary_tsv": lambda _: ""},
    "weblate.lang": {},
    "weblate.lang.models": {"Language": object, "PluralMapper": object},
    "weblate.logger": {"LOGGER": None},
    "weblate.machinery.forms": dict.fromkeys(
        ("BaseMachineryForm", "LibreTranslateMachineryForm", "DeepLMachineryForm"), object
    ),
    "weblate.utils": {"__path__": [str(pathlib.Path(weblate.__file__).parent / "utils")]},
    "weblate.utils.errors": {"report_error": lambda *_, **__: None},
    "weblate.utils.hash": dict.fromkeys(("calculate_dict_hash", "calculate_hash", "hash_to_checksum"), str),
    "weblate.utils.similarity": {"Comparer": object},
    "weblate.utils.site": {"get_site_url": lambda: "http://weblate.example/"},
    "weblate.utils.version": {"USER_AGENT": "Weblate"},
}
for name, values in REPLACED.items():
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(values)

from weblate.machinery.deepl import DeepLTranslation  # noqa: E402
from weblate.machinery.libretranslate import LibreTranslateTranslation  # noqa: E402

TEXTS = ["I love you.", "the %d cat", "1 < 2 & <b>the cat</b>"]
found = {}
for kind, address in ((LibreTranslateTranslation, sys.argv[1]), (DeepLTranslation, f"{sys.argv[1]}/v2/")):
    machinery = kind({"url": address, "key": "any"})
    codes = machinery.get_languages(mock.Mock(code="en"), mock.Mock(code="fr"))
    texts = machinery._translate(*codes, [(text, mock.Mock()) for text in TEXTS])
    found[kind.name] = [texts[text][0]["text"] for text in TEXTS]
print(json.dumps(found))
