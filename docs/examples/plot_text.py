"""
Learn to write words
====================

`SequenceGenerator` is a language model: it learns which token comes next, scores texts and continues them. Here the texts are the names of
cities, the tokens are letters, and the model invents new names.
"""

# %%
# The texts
# ---------
# The cities of the airports in the United States. With several texts, the model also learns where a text begins and ends.

import numpy as np
from vega_datasets import data

cities = data.airports().city.dropna()
cities = sorted(
    {
        city
        for city in cities
        if city.isascii() and city.replace(" ", "").isalpha() and len(city) < 13
    }
)
print(f"{len(cities)} names, such as {', '.join(cities[100:104])}")

# %%
# Train on four fifths of the names
# ---------------------------------

from skdeep import SequenceGenerator
from skdeep.networks import GRU

rng = np.random.default_rng(0)
cities = list(rng.permutation(cities))
cities = [str(city) for city in cities]
test, train = cities[: len(cities) // 5], cities[len(cities) // 5 :]
writer = SequenceGenerator(
    network=GRU(units=96), vocabulary="".join(sorted(set("".join(cities)))), learning_rate=0.01, batch_size=64,
    max_epochs=6, tol=None, random_state=0,
).fit(train)  # fmt: skip
print(
    f"perplexity: {writer.perplexity(train):.1f} on the training names, {writer.perplexity(test):.1f} on others"
)

# %%
# A perplexity of 8 means that the model is as uncertain as among 8 equally likely letters.
#
# Invent names
# ------------
# ``n=None`` writes to the end of a name. The temperature says how daring the model is: at 0 it always takes the most likely letter.

for temperature in (0.3, 0.7, 1.0, 1.5):
    invented = [
        writer.generate(n=None, temperature=temperature, random_state=seed)
        for seed in range(5)
    ]
    print(f"{temperature}: {', '.join(invented)}")

# %%
# What does the temperature change?
# ---------------------------------
# Cold names repeat each other and are more likely under the model than real names. Hot names are all different and less likely than real ones.
# Near a temperature of 1, invented names are about as surprising as real ones.

import matplotlib.pyplot as plt

temperatures = np.array([0.2, 0.5, 0.8, 1.1, 1.4])
different, perplexity = [], []
for temperature in temperatures:
    drawn = [
        writer.generate(n=None, temperature=temperature, random_state=seed)
        for seed in range(60)
    ]
    different.append(len(set(drawn)) / len(drawn))
    perplexity.append(writer.perplexity([name for name in drawn if name]))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
left.plot(temperatures, different, "o-")
left.set(xlabel="temperature", ylabel="share of different names", ylim=(0, 1.05))
right.plot(temperatures, perplexity, "o-", color="C2", label="invented names")
right.axhline(
    writer.perplexity(test),
    color="grey",
    linestyle="--",
    label="real names not trained on",
)
right.set(xlabel="temperature", ylabel="perplexity", ylim=(0, None))
right.legend()
