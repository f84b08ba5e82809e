"""A worker keeps S filled: at random at first, then with what its strategy makes of the model."""

import json
from collections.abc import Sequence

import pytest
import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import Count, Q
from torch import Tensor

from al_engine import strategies
from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, EngineProcess, Image, ModelVersion, Query
from al_engine.refill import DEPTH_FLOOR
from tests.integration.engine.conftest import MakeCampaign
from tests.integration.engine.digits import as_the_models_see, overwrite
from tests.integration.engine.people import join
from tests.integration.engine.roles import probabilities_by, publish_model, working

pytestmark = pytest.mark.django_db(transaction=True)
