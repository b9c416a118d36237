"""The sides of `ngram.py`, each a process: what it needs, from reading the text to the last number, and nothing else."""

import json
import sys
import time
from pathlib import Path

import numpy as np

CONTEXTS = (*range(1, 10), 20)


def _corpora(path: str, symbols: int):  # type: ignore[no-untyped-def]
    import rnnscope as rs

    vocabulary = rs.Vocabulary("characters", tuple(range(symbols)))
    return (rs.Corpus("text", vocabulary, np.load(Path(path) / f"{part}.npy")) for part in ("train", "test"))


def one_symbol(path: str, symbols: int) -> dict[str, float]:
    """Ten orders, log p of every symbol of the test part."""
    import rnnscope as rs

    train, test = _corpora(path, symbols)
    log_prob = rs.NGramLM.fit(train, context=CONTEXTS[-1]).log_prob(test, CONTEXTS)
    return {"nats": -float(log_prob[-1, :-1].mean())}


def every_symbol(path: str, symbols: int) -> dict[str, float]:
    """Ten orders, log p of every symbol of the vocabulary at every place of the test part."""
    import rnnscope as rs

    train, test = _corpora(path, symbols)
    following = test.next_ids()
    total = 0.0
    for start, log_probs in rs.NGramLM.fit(train, context=CONTEXTS[-1]).log_probs(test, CONTEXTS):
        places = np.arange(log_probs.shape[1])
        known = following[start + places] >= 0
        total -= float(log_probs[-1, places[known], following[start + places[known]]].sum(dtype=np.float64))
    return {"nats": total / (len(test) - 1)}


def nltk(path: str, symbols: int) -> dict[str, float]:
    """`nltk.lm`'s interpolated Kneser-Ney of order 3 on 100,000 symbols, and the distributions at 100 places."""
    from nltk.lm import KneserNeyInterpolated
    from nltk.lm.preprocessing import padded_everygram_pipeline

    train = [str(symbol) for symbol in np.load(Path(path) / "train.npy")[:100_000]]
    test = [str(symbol) for symbol in np.load(Path(path) / "test.npy")[:102]]
    model = KneserNeyInterpolated(3)
    begun = time.process_time()
    model.fit(*padded_everygram_pipeline(3, [train]))
    fitted = time.process_time()
    for at in range(2, 102):
        for symbol in model.vocab:
            model.score(symbol, test[at - 2 : at])
    return {"fit_seconds": fitted - begun, "places_per_second": 100 / (time.process_time() - fitted)}


def grow(path: str, symbols: int) -> dict[str, float]:
    """Count a text and keep the index; then, from the disk, a distribution at a place chosen at random, again and again."""
    import rnnscope as rs

    vocabulary = rs.Vocabulary("characters", tuple(range(symbols)))
    train = rs.Corpus("text", vocabulary, np.load(Path(path) / "train.npy"))
    model = rs.NGramLM.fit(train, context=CONTEXTS[-1])
    counted = time.process_time()
    model.save(Path(path) / "index")
    mapped = rs.NGramLM.open(Path(path) / "index")
    places = np.random.default_rng(0).integers(20, len(train), 200)
    begun = time.perf_counter()
    for place in places:
        mapped.after(train.ids[place - 20 : place])
    size = sum(file.stat().st_size for file in (Path(path) / "index").iterdir())
    return {"fit_seconds": counted, "index_bytes": size, "milliseconds_a_place": 1000 * (time.perf_counter() - begun) / len(places)}


if __name__ == "__main__":
    side, folder, alphabet = sys.argv[1:]
    print(json.dumps(globals()[side](folder, int(alphabet))))
