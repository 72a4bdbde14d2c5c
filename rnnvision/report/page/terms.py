"""The dictionary at the end of a page: every term that a section uses, in a sentence or two."""

from collections.abc import Iterable

TERMS = {
    "accuracy": "The share of images whose answer is the true class.",
    "anytime accuracy": (
        "The accuracy if the network had to answer after so many tokens. Its mean over all tokens is the anytime area:"
        " 1 for a network that is right from its first token on."
    ),
    "calibration": (
        "Whether probabilities mean what they say: of the answers given with a probability of 0.8, 80 % are right."
    ),
    "class": "One of the labels that the network chooses from.",
    "confident learning": (
        "A way to find wrong labels (Northcutt et al., 2021, arXiv 1911.00068): an image is doubtful where the network"
        " gives another class at least the probability that images of that class get on average."
    ),
    "confusion matrix": (
        "Row by row, what became of the images of a class: in a column stand those that were answered with that class."
        " What is right lies on the diagonal."
    ),
    "ECE": (
        "Expected calibration error: the gap between the probability of the answers and the share that is right, in 15"
        " bins of probability, averaged over the images. 0 is best."
    ),
    "epoch": "One pass over all training images.",
    "F1": "The harmonic mean of precision and recall; macro-F1 is its mean over the classes, each counted alike.",
    "gradient": (
        "How much the loss changes with a small change of a token or a state. Training needs it to reach back to the"
        " early tokens: it vanishes where it gets too small on the way, and explodes where it gets too large."
    ),
    "importance": (
        "How much of the variation of the scores a parameter explains by itself, as a share of that of all parameters."
    ),
    "learning rate": "How far one step of the optimiser moves the weights.",
    "loss": "What training makes small: -log(probability of the true class), in nats. 0 is a sure right answer.",
    "NLL": "Negative log-likelihood: the loss averaged over the images.",
    "parallel coordinates": (
        "An upright axis for each parameter and one for the score; a trial is the line through its values."
    ),
    "Pareto front": "The trials that no other trial beats in one metric without being worse in another.",
    "precision": "Of the answers of a class, the share that is right.",
    "probability": "How sure the network is of a class: the softmax of its logits, at the fitted temperature.",
    "pruned": "Of a trial: ended early, since its score was behind that of others after as many epochs.",
    "recall": "Of the images of a class, the share that is found.",
    "scan": "How an image is read as a sequence: the shape of a token, and the order in which tokens are visited.",
    "settled": "The number of tokens, or of glimpses, after which the answer did not change any more.",
    "split": "The part of the data: training, validation (to choose the best checkpoint) or test (for the score).",
    "state": "What the network remembers after a token: a vector, which the next token changes.",
    "support": "The number of images of a class.",
    "temperature": (
        "A number that the logits are divided by, fitted on the validation split, so that probabilities mean what they"
        " say. It changes no answer."
    ),
    "token": "The part of an image that is read in one time step: a row, a column, a pixel or a patch.",
    "trajectory": (
        "The path of the states of one image, from token to token, in the plane in which all states differ most"
        " (principal component analysis)."
    ),
    "trial": "One training of a search, with values of its own for the parameters.",
    "validation": "Images kept out of training, by which the best checkpoint is chosen.",
}


def explained(names: Iterable[str]) -> list[tuple[str, str]]:
    """The terms of these names with their meaning, by alphabet."""
    return sorted(((name, TERMS[name]) for name in names), key=lambda entry: entry[0].lower())
