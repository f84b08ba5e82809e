-- What an engine must know of its campaigns, a row for each, and nothing of what lies in D and L:
-- people who are there, open turns of S up to the number that is enough, the sizes of the pools,
-- the classes, the size of L that the newest model saw, and the processes of this machine.
SELECT campaign.id, sampled.there OR held.there, supply.turns, size.unlabeled, size.total,
       size.labeled, size.answers, class.choices, newest.labels_seen, process.servers,
       process.idle_servers, process.embedders, process.idle_embedders, process.workers
FROM unnest(%(campaigns)s::bigint[]) AS campaign(id)
CROSS JOIN LATERAL (SELECT EXISTS (
    SELECT 1 FROM pools_sample s
    WHERE s.campaign_id = campaign.id AND s.taken_at > now() - make_interval(secs => %(sampled)s)
      AND s.connected > 0 OFFSET 0) AS there) sampled
CROSS JOIN LATERAL (SELECT EXISTS (
    SELECT 1 FROM pools_turn leased
    WHERE leased.campaign_id = campaign.id AND leased.state = 'leased'
      AND leased.lease_expires > now()
    OFFSET 0) AS there) held
CROSS JOIN LATERAL (SELECT count(*) AS turns FROM (
    SELECT 1 FROM pools_turn a
    WHERE a.campaign_id = campaign.id AND a.state = 'open' LIMIT %(enough)s) a) supply
CROSS JOIN LATERAL (
    SELECT coalesce(sum(c.unlabeled), 0) AS unlabeled, coalesce(sum(c.labeled), 0) AS labeled,
           coalesce(sum(c.unlabeled + c.queried + c.labeled), 0) AS total,
           coalesce(sum(c.answers), 0) AS answers
    FROM pools_counter c WHERE c.campaign_id = campaign.id OFFSET 0) size
CROSS JOIN LATERAL (SELECT count(*) AS choices FROM pools_choice c
                    WHERE c.campaign_id = campaign.id OFFSET 0) class
CROSS JOIN LATERAL (
    SELECT (SELECT v.labels_seen FROM pools_modelversion v
            WHERE v.campaign_id = campaign.id ORDER BY v.version DESC LIMIT 1) AS labels_seen
    OFFSET 0) newest
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE p.role = 'server' AND here) AS servers,
           count(*) FILTER (WHERE p.role = 'server' AND here AND p.idle) AS idle_servers,
           count(*) FILTER (WHERE p.role = 'embedder' AND here) AS embedders,
           count(*) FILTER (WHERE p.role = 'embedder' AND here AND p.idle) AS idle_embedders,
           count(*) FILTER (WHERE p.role = 'worker') AS workers
    FROM (SELECT p.role, p.idle, p.host = %(host)s AS here FROM pools_engineprocess p
          WHERE p.campaign_id = campaign.id
            AND p.heartbeat_at > clock_timestamp() - make_interval(secs => %(silence)s)
          OFFSET 0) p) process
