"""What can be wrong with a model's weights; each text gives the command that mends it.

ModelError
├── ModelUnknown      the manifest has no such model
├── ModelMissing      its weights are not on this machine
├── ModelDamaged      its weights are not what the manifest says
└── ModelFetchFailed  they could not be had from where they were asked for
"""

from __future__ import annotations


class ModelError(Exception):
    """Base of everything that is wrong with weights."""


class ModelUnknown(ModelError):
    """The manifest has no model of this name."""


class ModelMissing(ModelError):
    """Files of the model are not on this machine."""


class ModelDamaged(ModelError):
    """Files of the model differ from the manifest."""


class ModelFetchFailed(ModelError):
    """The weights could not be had: registry, client, disk or contents."""
