-- By their random keys: people come to them in this order, and must not see the oldest images first.
SELECT session, id, image_id, key, width, height, lease_expires FROM leased ORDER BY place
