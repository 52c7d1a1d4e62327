"""Load and soak test of `nmt serve`: many clients at once, for some time. No answer may be lost, swapped or duplicated,
and memory must stay flat.

    python scripts/lab/load.py runs/en-fr                                # 24 clients, ten minutes
    python scripts/lab/load.py runs/en-fr --most 60                      # texts of up to 60 lines
    python scripts/lab/load.py runs/en-fr --seconds 30 --clients 8       # quick form

Starts a server of its own on a free port. First, one client asks for one line at a time, beside the library with the
same lines. Then each client asks for one to `--most` lines of the run's test text at a time,
by the APIs of LibreTranslate, DeepL and /v1 in turn, and compares each answer with that of the library, made
beforehand. Prints throughput beside that of the library on the same lines, in one call and in
calls of as many lines as the clients wait for together, measured before and after; the times of answers; and memory.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

import nmt
from nmt.evaluation.test_sets import configured_sets
from nmt.inference.translator import Translator
from nmt.runs.store import load_settings

SINGLE, WARM = 220, 20  # lines that are translated one by one, and how many of them are not timed
SETTLED = 0.3  # share of the time after which memory must not grow any more
GROWTH = 1.05  # of memory, from then on
JUDGED = 300.0  # seconds; in less time, caches are still filling, and memory is shown alone


def main() -> None:
    options = _options()
    data = load_settings(options.run).data
    lines = list(dict.fromkeys(line for each in configured_sets(options.run, print) for line in each.sources))
    lines = lines[: options.lines]
    translator = nmt.load(options.run, threads=options.threads)
    expected = {found.source: found.text for found in translator.translate(lines, attention=False)}
    # The lines that all clients together wait for, on average.
    waiting = min(len(lines), options.clients * (1 + options.most) // 2)
    alone, in_parts = rates(translator, lines, len(lines)), rates(translator, lines, waiting)
    command = [sys.executable, "-m", "nmt", "serve", str(options.run), "--port", "0", "--threads", str(options.threads)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = next(line.split()[1] for line in server.stdout if line.startswith("open "))
        load = Load(url.rstrip("/"), expected, (data.source, data.target), options.most)
        single = one_by_one(load, translator, lines[:SINGLE])
        found = load.run(options.clients, options.seconds, server.pid)
    finally:
        server.terminate()
        server.wait(60)
    alone += rates(translator, lines, len(lines))
    in_parts += rates(translator, lines, waiting)
    for name, figures in ((f"{len(lines)} lines", alone), (f"{waiting} lines", in_parts)):
        found[f"lines per second of the library alone, {name} in one call: median, slowest, fastest"] = [
            round(rate, 1) for rate in (statistics.median(figures), min(figures), max(figures))
        ]
    found |= single
    print(json.dumps(found, indent=1))
    grew = options.seconds >= JUDGED and float(str(found["memory grew by"])) > GROWTH
    if found["wrong answers"] or found["failed requests"] or grew:
        sys.exit("failed: an answer was lost or wrong, or memory grew")


def rates(translator: Translator, lines: list[str], at_once: int) -> list[float]:
    """Return how many lines per second the library translates, `at_once` at a time, five times over: the pace of a
    machine varies."""
    found = []
    for _ in range(5):
        started = time.perf_counter()
        for start in range(0, len(lines), at_once):
            translator.translate(lines[start : start + at_once], attention=False)
        found.append(len(lines) / (time.perf_counter() - started))
    return found


def one_by_one(load: "Load", translator: Translator, lines: list[str]) -> dict[str, object]:
    """Translate one line at a time, by the server and by the library in turns, and compare the times."""
    times: dict[str, list[float]] = {"server": [], "library": []}
    with httpx.Client(timeout=120) as client:
        for number, line in enumerate(lines):
            for who in ("server", "library"):
                started = time.perf_counter()
                if who == "server":
                    load.ask(client, 0, [line])
                else:
                    translator.translate([line], attention=False)
                if number >= WARM:
                    times[who].append(time.perf_counter() - started)
    points = {
        who: [round(1000 * statistics.quantiles(each, n=20)[at], 1) for at in (9, 18)] for who, each in times.items()
    }
    return {
        **{f"milliseconds of one line, {who}: median, 95 %": found for who, found in points.items()},
        "95 % of the server beside that of the library": round(points["server"][1] / points["library"][1], 2),
    }


class Load:
    """Ask a server from many threads, and compare what it says."""

    def __init__(self, url: str, expected: dict[str, str], languages: tuple[str, str], most: int) -> None:
        self.url, self.expected, self.languages, self.most = url, expected, languages, most
        self.counts: Counter[str] = Counter()
        self.times: list[float] = []
        self.lock = threading.Lock()

    def run(self, clients: int, seconds: float, server: int) -> dict[str, object]:
        """Return what was measured."""
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._client, args=(number, end)) for number in range(clients)]
        for thread in threads:
            thread.start()
        memory = []
        while time.monotonic() < end:
            time.sleep(max(0.2, seconds / 200))
            memory.append(_resident(server))
        for thread in threads:
            thread.join(120)
        settled = memory[int(len(memory) * SETTLED)]
        times = sorted(self.times) or [0.0]
        return {
            "clients": clients, "seconds": seconds, "requests": self.counts["requests"],
            "failed requests": self.counts["failed"], "wrong answers": self.counts["wrong"],
            "lines per second": round(self.counts["lines"] / seconds, 1),
            "seconds of an answer: median, 95 %, slowest": [
                round(times[int(share * (len(times) - 1))], 3) for share in (0.5, 0.95, 1.0)
            ],
            "memory in MB: settled, end": [round(settled / 1e6), round(memory[-1] / 1e6)],
            "memory grew by": round(memory[-1] / settled, 3),
        }  # fmt: skip

    def _client(self, number: int, end: float) -> None:
        choice = random.Random(number)
        known = list(self.expected)
        with httpx.Client(timeout=120) as client:
            while time.monotonic() < end:
                lines = choice.sample(known, choice.randint(1, self.most))
                started = time.perf_counter()
                try:
                    found = self.ask(client, choice.randrange(3), lines)
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    print(f"{type(error).__name__}: {error}", file=sys.stderr)
                    found = None
                with self.lock:
                    self.times.append(time.perf_counter() - started)
                    self.counts["requests"] += 1
                    self.counts["lines"] += len(lines)
                    self.counts["failed"] += found is None
                    self.counts["wrong"] += found is not None and found != [self.expected[line] for line in lines]

    def ask(self, client: httpx.Client, api: int, lines: list[str]) -> list[str]:
        source, target = self.languages
        if api == 0:
            asked = {"q": lines, "source": source, "target": target}
            return list(client.post(f"{self.url}/translate", json=asked).raise_for_status().json()["translatedText"])
        if api == 1:
            asked = {"text": lines, "source_lang": source.upper(), "target_lang": target.upper()}
            answer = client.post(f"{self.url}/v2/translate", json=asked).raise_for_status().json()
            return [each["text"] for each in answer["translations"]]
        answer = client.post(f"{self.url}/v1/translate", json={"text": lines}).raise_for_status().json()
        return [line["text"] for each in answer["translations"] for line in each]


def _resident(process: int) -> int:
    """Return the bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * 4096


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--most", type=int, default=3, help="lines of a request")
    parser.add_argument("--lines", type=int, default=500, help="different lines that are asked for")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
