"""The tables of the pools. Rows change only through the modules of `al_engine.pools`."""

from al_engine.pools.models.campaign import Annotator, Campaign, Choice
from al_engine.pools.models.engine import Cell, EngineProcess, ModelVersion, Ranking, Sample
from al_engine.pools.models.image import Counter, Image
from al_engine.pools.models.label import Consensus, Label
from al_engine.pools.models.query import PastSkip, Query, Turn

__all__ = [
    "Annotator",
    "Campaign",
    "Cell",
    "Choice",
    "Consensus",
    "Counter",
    "EngineProcess",
    "Image",
    "Label",
    "ModelVersion",
    "PastSkip",
    "Query",
    "Ranking",
    "Sample",
    "Turn",
]
