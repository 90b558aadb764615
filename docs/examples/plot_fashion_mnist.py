"""
Images: a convolutional network on Fashion-MNIST
================================================

The network "cnn" has one convolution and one pool per width. ``input_shape`` gives flat rows the shape of an image, so that the rows can come
from any step of a pipeline. The files are those of Debian's package ``dataset-fashion-mnist``.
"""

# %%
# Read the images
# ---------------
# 6,000 of the 60,000 training images are enough for a picture.

import gzip

import numpy as np


def read(name, skip):
    with gzip.open(f"/usr/share/datasets/fashion-mnist/{name}.gz") as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=skip)


X_train = read("train-images-idx3-ubyte", 16).reshape(-1, 784)[:6000] / np.float32(255)
X_test = read("t10k-images-idx3-ubyte", 16).reshape(-1, 784)[:2000] / np.float32(255)
y_train = read("train-labels-idx1-ubyte", 8)[:6000]
y_test = read("t10k-labels-idx1-ubyte", 8)[:2000]
names = ["T-shirt", "trouser", "pullover", "dress", "coat"]
names = np.array([*names, "sandal", "shirt", "sneaker", "bag", "boot"])

# %%
# Fit two networks
# ----------------
# Labels of any kind can be given, here the names of the clothes.

from skdeep import DeepClassifier
from skdeep.networks import CNN

settings = {
    "learning_rate": 0.003,
    "batch_size": 128,
    "max_epochs": 5,
    "tol": None,
    "random_state": 0,
}
cnn = DeepClassifier(
    network=CNN(widths=(16, 32)), input_shape=(28, 28, 1), **settings
).fit(X_train, names[y_train])
mlp = DeepClassifier(network="mlp", **settings).fit(X_train, names[y_train])
print(
    f"cnn: accuracy {cnn.score(X_test, names[y_test]):.3f}, {cnn.n_parameters_:,} parameters"
)
print(
    f"mlp: accuracy {mlp.score(X_test, names[y_test]):.3f}, {mlp.n_parameters_:,} parameters"
)

# %%
# Which clothes are confused?
# ---------------------------
# Each row of the matrix has the images of one kind. Shares below 1% are left out. The right panel shows the share of each kind that is found:
# shirts, pullovers and T-shirts look alike at 28 x 28 pixels, and trousers, bags and boots are easy.

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay, recall_score

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11.5, 5.5), layout="constrained", width_ratios=[1.5, 1]
)
display = ConfusionMatrixDisplay.from_estimator(
    cnn,
    X_test,
    names[y_test],
    normalize="true",
    values_format=".0%",
    xticks_rotation=45,
    colorbar=False,
    cmap="Blues",
    ax=left,
)
for text in display.text_.ravel():
    text.set_fontsize(8)
    if text.get_text() == "0%":
        text.set_text("")
recall = {
    name: recall_score(names[y_test], model.predict(X_test), average=None)
    for name, model in [("cnn", cnn), ("mlp", mlp)]
}
kinds = np.arange(10)
right.barh(kinds - 0.2, recall["cnn"], height=0.4, label="cnn")
right.barh(kinds + 0.2, recall["mlp"], height=0.4, label="mlp")
right.set(
    yticks=kinds, yticklabels=cnn.classes_, xlabel="share that is found", xlim=(0, 1)
)
right.invert_yaxis()
right.legend(loc="upper center", bbox_to_anchor=(0.5, 1.1), ncols=2)
