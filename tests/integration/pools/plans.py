"""The statements of the pools: what each finds by which index, and something to give to each."""

import re
from typing import Any
from uuid import UUID

from django.db import connection

from al_engine.pools.models import EngineProcess
from al_engine.pools.sql import statement

from .conftest import Pools
from .large import IDS

SESSIONS = [UUID(int=number) for number in range(8)]

# What each statement finds by which index; {table.alias: index}.
DESK = {
    "claim": {"a": "turn_open"},
    "claim_for": {"a": "turn_open", "mine": "turn_once"},
    "lock": {"a": "pools_turn_pkey", "image": "pools_image_pkey"},
    "lock_labels": {
        "a": "pools_turn_pkey",
        "l": "label_message_once",
        "image": "pools_image_pkey",
    },
    "answer": {"a": "pools_turn_pkey", "q": "pools_query_pkey", "other": "turn_once"},
    "answer_receipts": {"label": "label_message_once", "a": "pools_turn_pkey"},
    "settle": {
        "l": "label_person_once",
        "image": "pools_image_pkey",
        "a": "pools_turn_pkey",
        "live": "turn_once",
    },
    "skip": {"a": "pools_turn_pkey", "q": "pools_query_pkey"},
    "skip_receipts": {"a": "pools_turn_pkey"},
    "exclude_bad": {"t": "pools_turn_pkey", "a": "turn_once"},
    "known_labels": {"l": "label_message_once"},
    "retract": {"l": "label_message_once"},
    "unsettle": {"a": "pools_turn_pkey", "image": "pools_image_pkey"},
    "expire": {
        "a": "turn_expiry",
        "q": "pools_query_pkey",
        "image": "pools_image_pkey",
    },
    "renew": {"a": "turn_held"},
    "fills": {"a": "turn_open", "q": "pools_query_pkey"},
    "recall": {
        "a": "pools_turn_pkey",
        "q": "pools_query_pkey",
        "image": "pools_image_pkey",
        "other": "turn_once",
        "l": "label_person_once",
    },
    "resume": {"a": "turn_held", "image": "pools_image_pkey"},
    "vouch": {"a": "pools_turn_pkey", "image": "pools_image_pkey", "q": "pools_query_image"},
    "mine": {"l": "label_"},
    "ask_again": {"a": "pools_turn_pkey", "mine": "turn_once"},
}
ENGINE = {
    "open_queries": {"q": "query_open", "a": "turn_once"},
    "supply": {"a": "turn_open", "q": "pools_query_pkey", "touched": "turn_once"},
    "put": {"image": "pools_image_pkey"},
    "confirm": {"q": "pools_query_pkey", "a": "turn_once"},
    "withdraw": {"q": "pools_query_pkey", "a": "turn_once"},
    "set_aside": {"image": "pools_image_pkey", "a": "turn_once"},
    "put_back": {"image": "pools_image_pkey", "a": "turn_once", "l": "label_person_once"},
    "follow": {"c": "consensus_changes"},
    "survey": {"leased": "turn_expiry", "a": "turn_open"},
}


def parameters_of(pools: Pools) -> dict[str, Any]:
    """Something for every parameter there is, each like what a busy desk gives."""
    with connection.cursor() as cursor:
        cursor.execute(IDS, {"campaign": pools.id})
        (queries, turns, images) = cursor.fetchone()
    people = (pools.people * 2)[: len(turns)]
    return {
        "campaign": pools.id,
        "campaigns": [pools.id],
        "annotators": people,
        "claimers": people,
        "sessions": SESSIONS * 8,
        "want": 64,
        "start": 0.5,
        "lease_seconds": 120,
        "seconds": 30.0,
        "since": 10**9,
        "ids": SESSIONS * 8,
        "labels": SESSIONS * 8,
        "turns": turns,
        "queries": queries,
        "choices": pools.choices[:1] * len(turns),
        "shown": [700] * len(turns),
        "lists": [None] * len(turns),
        "reasons": ["unsure"] * len(turns),
        "senders": ["person"] * len(turns),
        "details": [""] * len(turns),
        "kinds": ["gone"] * len(images),
        "problems": ["The storage has no x.png."] * len(images),
        "states": ["unlabeled", "queried"],
        "problem": "Two people called it unusable.",
        "images": images,
        "cells": [1, 2, 3],
        "annotator": pools.people[0],
        "session": SESSIONS[0],
        "former": SESSIONS[1],
        "first": SESSIONS[0],
        "last": SESSIONS[7],
        "workers": [EngineProcess.objects.get(campaign=pools.campaign).pk] * len(images),
        "strategies": ["margin"] * len(images),
        "scores": [0.5] * len(images),
        "purposes": ["active"] * len(images),
        "newest": 1,
        "at_random": True,
        "keep": [1] * len(turns),
        "ready": [True] * len(turns),
        "most": 64,
        "versions": [None] * len(images),
        "enough": 64,
        "sampled": 12.0,
        "silence": 8.0,
        "host": "here",
    }


def names_of(name: str) -> list[str]:
    """The parameters of a statement, in the order in which they come first."""
    return list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement(name))))


def generic(name: str) -> str:
    """A statement with $1, $2 … for its parameters, as PostgreSQL plans it once for all."""
    names = names_of(name)
    return re.sub(r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", statement(name))
