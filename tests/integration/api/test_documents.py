"""The API describes itself: as a schema, as a page, and as a text."""

import re

from django.test import Client

from annotator_site.api.schema import whole_schema


def test_the_schema_has_every_resource_and_every_refusal() -> None:
    schema = Client().get("/api/schema/").json()
    assert schema["openapi"].startswith("3.1")
    paths = schema["paths"]
    for name in ("images", "labels", "consensus", "queries", "models", "annotators", "stats"):
        operation = paths[f"/api/v1/campaigns/{{slug}}/{name}"]["get"]
        assert operation["tags"] == [name]
        assert {"401", "404", "429"} <= set(operation["responses"])
    ids = [each["operationId"] for path in paths.values() for each in path.values()]
    assert len(ids) == len(set(ids))


def test_page_and_text_name_every_operation_and_run_no_script() -> None:
    page, text = (Client().get(path).content.decode() for path in ("/api/docs/", "/llms.txt"))
    for path in whole_schema()["paths"]:
        assert path in page
        assert path in text
    assert not re.search(r"<script(?![^>]* src=)|<style| on\w+=", page)
    assert "https://" not in page
