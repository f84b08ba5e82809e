"""The labeling path: a label comes in, is made durable, and a fresh query goes out.

Read protocol.py (pure messages), desk.py (batches), consumer.py (one person's connection)."""
