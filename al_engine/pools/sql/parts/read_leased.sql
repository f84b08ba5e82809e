-- In the order of the random keys, in which annotators reach the turns: they must not see the
-- oldest images first.
SELECT session, id, image_id, key, width, height, lease_expires FROM leased ORDER BY place
