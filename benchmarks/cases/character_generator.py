"""A character model of Python's help texts: LSTM(128) over 64 characters, against a plain loop in PyTorch."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from benchmarks.compiling import compile_clock
from benchmarks.epochs import epoch_target
from benchmarks.runner import Case, Contender, Options, Prepared, Target, ratio, timed

CHARACTERS = 100_000
TEST_CHARACTERS = 20_000
LENGTH, BATCH_SIZE, EPOCHS = 64, 64, 10
UNITS, FEATURES, LEARNING_RATE = 128, 64, 3e-3
NEW_CHARACTERS = 1_000
PROMPT = "The "


@cache
def texts(options: Options) -> tuple[str, str]:
    """Return training text and test text from the topics of Python's help."""
    from pydoc_data.topics import topics

    whole = "\n".join(text for _, text in sorted(topics.items()))
    n = options.rows or CHARACTERS
    return whole[:n], whole[-TEST_CHARACTERS:]


def vocabulary(options: Options) -> list[str]:
    """Return all characters of both texts."""
    return sorted(set("".join(texts(options))))


def prepare_skdeep(options: Options) -> Prepared:
    """Warm up by one epoch, one score and one generated text, which compile; each repeat is a whole fit with another seed."""
    from skdeep import SequenceGenerator

    train, test = texts(options)
    model = SequenceGenerator(
        vocabulary=vocabulary(options),
        context_length=LENGTH,
        embedding_features=FEATURES,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        max_epochs=1,
        tol=None,
        random_state=0,
    )
    with compile_clock() as compiling:
        model.fit([train])
        model.score([test])
        model.generate(PROMPT, NEW_CHARACTERS, random_state=0)
    seeds = iter(range(1, 1000))

    def measure() -> dict[str, float]:
        model.set_params(max_epochs=options.epochs or EPOCHS, random_state=next(seeds))
        fit_seconds = timed(lambda: model.fit([train]))
        return {
            "test_perplexity": model.perplexity([test]),
            "epoch_seconds": model.history_["seconds"].mean(),
            "fit_seconds": fit_seconds,
            "generate_seconds": timed(lambda: model.generate(PROMPT, NEW_CHARACTERS, random_state=0)),
        }

    return Prepared(measure, {"compile_seconds": sum(compiling), "n_parameters": model.n_parameters_})


def prepare_torch(options: Options) -> Prepared:
    """Train on the same windows, shuffled, in a plain loop; generation carries the LSTM's state between characters."""
    import torch

    train, test = texts(options)
    ids = {character: number for number, character in enumerate(vocabulary(options))}
    encoded, encoded_test = (torch.tensor([ids[c] for c in text]) for text in (train, test))
    n = (len(encoded) - 1) // LENGTH
    x, target = (encoded[start : start + n * LENGTH].reshape(n, LENGTH) for start in (0, 1))
    torch.manual_seed(0)
    seeds = iter(range(1, 1000))

    def run_epoch(model: Any, optimizer: Any) -> None:
        order = torch.randperm(n)
        for start in range(0, n, BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            optimizer.zero_grad()
            raw, _ = model(x[rows])
            torch.nn.functional.cross_entropy(raw.flatten(0, 1), target[rows].flatten()).backward()
            optimizer.step()

    def measure() -> dict[str, float]:
        torch.manual_seed(next(seeds))
        model = torch_model(len(ids))
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        epochs = options.epochs or EPOCHS
        fit_seconds = timed(lambda: [run_epoch(model, optimizer) for _ in range(epochs)])
        with torch.no_grad():
            raw, _ = model(encoded_test[None, :-1])
            loss = float(torch.nn.functional.cross_entropy(raw[0], encoded_test[1:]))
            prompt = torch.tensor([[ids[c] for c in PROMPT]])
            generate_seconds = timed(lambda: generate_in_torch(model, prompt))
        return {
            "test_perplexity": math.exp(loss),
            "epoch_seconds": fit_seconds / epochs,
            "fit_seconds": fit_seconds,
            "generate_seconds": generate_seconds,
        }

    return Prepared(measure, {"n_parameters": sum(p.numel() for p in torch_model(len(ids)).parameters())})


def torch_model(n_tokens: int) -> Any:
    """Return embedding, LSTM and a dense layer per step; the LSTM starts from the given state."""
    import torch

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(n_tokens, FEATURES)
            self.lstm = torch.nn.LSTM(FEATURES, UNITS, batch_first=True)
            self.output = torch.nn.Linear(UNITS, n_tokens)

        def forward(self, x: Any, state: Any = None) -> Any:
            h, state = self.lstm(self.embedding(x), state)
            return self.output(h), state

    return Model()


def generate_in_torch(model: Any, prompt: Any) -> list[int]:
    """Draw `NEW_CHARACTERS` tokens one after the other."""
    import torch

    new = []
    raw, state = model(prompt)
    for _ in range(NEW_CHARACTERS):
        token = torch.multinomial(torch.softmax(raw[:, -1], -1), 1)
        new.append(int(token))
        raw, state = model(token, state)
    return new


CASE = Case(
    name="character_generator",
    summary="LSTM(128) over 64 characters, 100,000 characters of Python's help, batch 64, 10 epochs",
    contenders=(
        Contender("skdeep", prepare_skdeep, notes="SequenceGenerator; generates from the last 64 characters"),
        Contender("torch", prepare_torch, ("torch",), "plain loop; generates from the carried LSTM state"),
    ),
    headline="epoch_seconds",
    targets=(
        epoch_target("skdeep", "torch", "epoch, ratio to PyTorch's", 1 / 0.9),
        Target(
            "perplexity of held-out text, ratio to PyTorch's",
            ratio(("skdeep", "test_perplexity"), ("torch", "test_perplexity")),
        ),
        Target(
            "seconds of generating 1,000 characters, ratio to PyTorch's",
            ratio(("skdeep", "generate_seconds"), ("torch", "generate_seconds")),
        ),
    ),
    repeats=3,
)
