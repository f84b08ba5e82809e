-- The labeling path's usual transaction as one function of the session: answers in, fresh turns
-- out, in a single round trip. It consists of the statements of the same names; each sees the
-- changes of the one before it. Returns JSON: the answers that were stored, the turns that were
-- leased, and the campaign's progress.
CREATE OR REPLACE FUNCTION pg_temp.exchange(
    p_campaign bigint, p_ids uuid[], p_annotators bigint[], p_turns bigint[], p_choices bigint[],
    p_shown int[], p_images bigint[], p_lists int[], p_claimers bigint[], p_sessions uuid[],
    p_want int, p_start float8, p_lease_seconds int
) RETURNS text LANGUAGE plpgsql AS $function$
#variable_conflict use_column
DECLARE
    v_answered json;
    v_claimed json;
    v_progress json;
BEGIN
    IF cardinality(p_turns) > 0 THEN
        PERFORM FROM ({lock}) locked;
        {answer}
        SELECT json_agg(json_build_array(annotator_id, client_id)) INTO v_answered FROM stored;
        {settle};
    END IF;
    IF p_want > 0 THEN
        {claim}
        SELECT json_agg(leased ORDER BY place) INTO v_claimed FROM leased;
    END IF;
    SELECT to_json(sizes) INTO v_progress FROM ({progress}) sizes;
    RETURN json_build_object('answered', v_answered, 'claimed', v_claimed, 'progress', v_progress);
END $function$
