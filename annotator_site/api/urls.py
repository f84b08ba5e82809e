"""Addresses of the API."""

from django.urls import path

from annotator_site.api import campaigns, documents, labeling, people, reading
from annotator_site.api.base import Nowhere

app_name = "api"

_ONE = "api/v1/campaigns/<slug:slug>"

urlpatterns = [
    path("api/v1/campaigns", campaigns.Campaigns.as_view(), name="campaigns"),
    path(_ONE, campaigns.OneCampaign.as_view(), name="campaign"),
    path(f"{_ONE}/pause", campaigns.Pause.as_view(), name="pause"),
    path(f"{_ONE}/resume", campaigns.Resume.as_view(), name="resume"),
    path(f"{_ONE}/finish", campaigns.Finish.as_view(), name="finish"),
    path(f"{_ONE}/classes", campaigns.Classes.as_view(), name="classes"),
    path(f"{_ONE}/images", reading.Images.as_view(), name="images"),
    path(f"{_ONE}/images/exclude", reading.Exclude.as_view(), name="exclude"),
    path(f"{_ONE}/images/put-back", reading.PutBack.as_view(), name="put_back"),
    path(f"{_ONE}/images/<int:image_id>", reading.OneImage.as_view(), name="image"),
    path(f"{_ONE}/labels", labeling.Labels.as_view(), name="labels"),
    path(f"{_ONE}/claim", labeling.Claim.as_view(), name="claim"),
    path(f"{_ONE}/consensus", reading.ConsensusRows.as_view(), name="consensus"),
    path(f"{_ONE}/queries", reading.Queries.as_view(), name="queries"),
    path(f"{_ONE}/models", reading.Models.as_view(), name="models"),
    path(f"{_ONE}/models/<int:version>", reading.OneModel.as_view(), name="model"),
    path(f"{_ONE}/models/<int:version>/weights", reading.Weights.as_view(), name="weights"),
    path(f"{_ONE}/annotators", people.Annotators.as_view(), name="annotators"),
    path(f"{_ONE}/annotators/<int:annotator_id>", people.OneAnnotator.as_view(), name="annotator"),
    path(f"{_ONE}/stats", reading.Stats.as_view(), name="stats"),
    path("api/schema/", documents.schema, name="schema"),
    path("api/docs/", documents.documents, name="docs"),
    path("llms.txt", documents.llms, name="llms"),
    # Last: an address that there is not answers with a problem, too.
    path("api/<path:rest>", Nowhere.as_view(), name="nowhere"),
]
