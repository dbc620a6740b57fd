-- The sum of a JSON object's numbers, such as sizes by variant; for a generated column.

CREATE OR REPLACE FUNCTION sum_of_sizes(sizes jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT coalesce(sum(size::bigint), 0)::bigint FROM jsonb_each_text(sizes) AS each (name, size);
$$;
