"""A trigger made from `lifecycle`: a state change that is not an arrow there fails its test."""

from typing import Final

from django.db import connection

from al_engine.pools import lifecycle

WATCHED: Final = {
    "pools_image": lifecycle.IMAGE,
    "pools_query": lifecycle.QUERY,
    "pools_turn": lifecycle.TURN,
}


def install() -> None:
    """Watch the three tables from now on."""
    with connection.cursor() as cursor:
        for table, arrows in WATCHED.items():
            drawn = ", ".join(f"('{start}', '{end}')" for start, end in arrows)
            cursor.execute(
                f"""CREATE OR REPLACE FUNCTION {table}_arrow() RETURNS trigger
                    LANGUAGE plpgsql AS $$
                    BEGIN
                        IF (OLD.state, NEW.state) NOT IN ({drawn}) THEN
                            RAISE EXCEPTION 'no arrow of {table} leads from % to %',
                                OLD.state, NEW.state;
                        END IF;
                        RETURN NEW;
                    END $$;
                    CREATE OR REPLACE TRIGGER {table}_arrow BEFORE UPDATE ON {table}
                    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
                    EXECUTE FUNCTION {table}_arrow()"""
            )


def remove() -> None:
    """Stop watching: other tests may set states as they like."""
    with connection.cursor() as cursor:
        for table in WATCHED:
            cursor.execute(f"DROP TRIGGER {table}_arrow ON {table}; DROP FUNCTION {table}_arrow()")
