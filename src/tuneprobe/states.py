"""The states of an encoder: what its weights went through before it was measured."""

RANDOM = "random"  # the published architecture, weights drawn anew
PRETRAINED = "pretrained"  # as published
FINETUNED = "finetuned"  # tuned on the task from the published weights
FROZEN = "frozen"  # as published, under a head that was trained on it
RANDOM_FINETUNED = "random-finetuned"  # tuned on the task from random weights

STATES = (RANDOM, PRETRAINED, FINETUNED)  # those whose vectors and maps are compared
