-- Store answers. The holder of a turn may answer it, and so may its former holders (a late answer).
-- A repeated message, or a second answer of the same annotator to an image, conflicts and does
-- nothing. `images` are the ids of the images that people saw, 0 where unknown: after a crash the
-- database may give a turn's id to another image, and an answer must not go to that one. An answer
-- given with another list of classes on the screen is not stored: the same class may have had
-- another name. It is checked only here, so that no change of the classes can come in between.
\i parts/answer.sql
SELECT annotator_id, client_id FROM stored
