-- Store answers: whoever holds the turn, or once held it (a late answer), may answer it.
-- A message that came before, or a second answer of the same person, conflicts and does nothing.
-- `images` are what people saw, where that is known (else 0): after a crash the database may give a
-- turn's id to another image, and an answer must not go to that.
-- What was said with another list of classes on the screen is not stored: the same class may have
-- had another name there. Judged here and nowhere else, so that no change of the classes comes in
-- between.
\i parts/answer.sql
SELECT annotator_id, client_id FROM stored
