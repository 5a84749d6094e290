-- Linear probes of every attribute in every space, fitted in stock DuckDB on all images but those of the split 'test':
--
--   SET VARIABLE spaces = ['mini-dino', 'mini-clip-a'];   -- optional; all spaces of the lake otherwise
--   SET VARIABLE penalty = 1;                             -- optional; .1 otherwise
--   .read queries/fit_probes.sql
--
-- leaves the temporary table `fitted`, one row per space × attribute × method with the columns of `probes`, as far as they are known:
--
--   ridge             minimises Σ(z·w + b − y)² + λ‖w‖², y = ±1; least squares where penalty = 0
--   lda               Fisher's w = Σ⁻¹(m₁ − m₀), Σ = (within-class scatter + λI) / train; b has the log of the classes' odds
--   mean-difference   w = m₁ − m₀; b is zero halfway between the means
--
-- `penalty` counts in units of the Gram matrix' mean diagonal, λ = penalty · trace(G) / dim with G of the centred train rows, so that
-- one value suits all spaces and the condition number stays below 1 + dim / penalty. slope and offset are in closed form, of two normal
-- classes of one variance, from leave-one-out scores y − (y − score) / (1 − h): the leverages h are taken in proportion to the rows' squared
-- distances from the mean, as far as few directions hold the variance, and their sum from sixteen columns of random signs (Hutchinson 1990). Pictures of
-- the same bytes are left out together; other groups (split_group: people, looks) only `une probe --engine fast` leaves out, which
-- also standardises coordinates whose scales differ by orders. A probe that can't be fitted is a row of status 'refused' with a reason.
CREATE OR REPLACE TEMP TABLE fitted AS
WITH RECURSIVE settings AS (
    SELECT if(penalty >= 0 AND isfinite(penalty), penalty, error('penalty is ' || penalty || '; it must be 0 or more')) AS penalty
    FROM (SELECT coalesce(getvariable('penalty'), .1)::DOUBLE AS penalty)),
known AS (SELECT list(DISTINCT space ORDER BY space) AS spaces FROM readings),
named AS (SELECT DISTINCT spaces, unnest(coalesce(getvariable('spaces')::VARCHAR[], spaces)) AS space FROM known),
asked AS (
    SELECT if(list_contains(spaces, space), space, error('no space ''' || space || ''' in this lake; it has ' || array_to_string(spaces, ', ')))
        AS space
    FROM named),
train_rows AS MATERIALIZED (
    SELECT space, row_number() OVER (PARTITION BY space ORDER BY image_id) AS n, z, attributes,
        coalesce(sha256, image_id) AS picture
    FROM latents SEMI JOIN asked USING (space) JOIN images USING (image_id) WHERE split <> 'test'),
shapes AS MATERIALIZED (
    SELECT space, count(z) AS train, any_value(len(z)) AS dim,
        CASE WHEN count(z) = 0 THEN 'no image outside the test split has a latent'
            WHEN min(len(z)) < max(len(z)) THEN 'latents of several lengths, ' || min(len(z)) || ' to ' || max(len(z))
            WHEN NOT bool_and(isfinite(list_sum(z))) THEN count(*) FILTER (NOT isfinite(list_sum(z))) || ' train latents are not finite'
        END AS space_error
    FROM asked LEFT JOIN train_rows USING (space) GROUP BY space),

-- The space on its side, one list per dimension, in row order and less its mean.
long AS (
    SELECT space, n, unnest(z)::DOUBLE AS x, generate_subscripts(z, 1) AS d
    FROM train_rows SEMI JOIN (SELECT space FROM shapes WHERE space_error IS NULL) USING (space)),
stacked AS (SELECT space, d, list(x ORDER BY n) AS x, avg(x) AS mean FROM long GROUP BY space, d),
sides AS MATERIALIZED (SELECT space, d, list_transform(x, lambda value: value - mean) AS x FROM stacked),

-- G as one list per row; half of its dot products are computed, the others are their mirror.
upper_half AS MATERIALIZED (
    SELECT a.space, a.d AS i, b.d AS j, list_dot_product(a.x, b.x) AS g FROM sides a JOIN sides b ON a.space = b.space AND a.d <= b.d),
entries AS (SELECT * FROM upper_half UNION ALL SELECT space, j, i, g FROM upper_half WHERE i < j),
gram AS MATERIALIZED (SELECT space, i AS d, list(g ORDER BY j) AS g FROM entries GROUP BY space, i),
penalties AS MATERIALIZED (
    SELECT space, penalty * avg(g[d]) AS ridge, avg(g[d]) = 0 AS is_constant FROM gram CROSS JOIN settings GROUP BY space, penalty),

-- Labels as lists of ±1 in row order, and why some attributes are out of the question.
names AS (SELECT DISTINCT attribute FROM attributes),
labelled AS (
    SELECT space, attribute, list(if(attributes[attribute], 1.0, -1.0)::DOUBLE ORDER BY n) AS y,
        count(*) - count(attributes[attribute]) AS missing, count_if(attributes[attribute]) AS trues, count(*) - trues AS falses
    FROM train_rows CROSS JOIN names GROUP BY space, attribute),
labels AS MATERIALIZED (
    SELECT space, attribute, train, dim, y, if(missing = 0, trues, NULL) AS positive, if(missing = 0, falses, NULL) AS negative,
        coalesce(space_error, CASE
            WHEN is_constant THEN 'all train latents are the same'
            WHEN missing > 0 THEN 'no label in ' || missing || ' of ' || train || ' train rows; une probe --engine fast fits the others'
            WHEN least(trues, falses) = 0 THEN 'constant in train: all ' || train || ' rows are ' || if(trues = 0, 'negative', 'positive')
            WHEN least(trues, falses) < 5 THEN 'only ' || least(trues, falses) || if(trues < falses, ' positives', ' negatives')
                || ' among ' || train || ' train rows, fewer than 5'
        END) AS label_error
    FROM shapes CROSS JOIN names LEFT JOIN penalties USING (space) LEFT JOIN labelled USING (space, attribute)),

-- Right-hand sides Zᵀy of the centred Z, and what they come to: 2k times the difference of the classes' means.
sums AS MATERIALIZED (
    SELECT space, attribute, list(list_dot_product(x, y) ORDER BY d) AS zy, any_value(positive * negative / train) AS k
    FROM sides JOIN labels USING (space) WHERE label_error IS NULL GROUP BY space, attribute),
differences AS MATERIALIZED (
    SELECT space, attribute, k, list_transform(zy, lambda value: value / (2 * k)) AS delta FROM sums),

-- Columns of random signs, the same at every run, which the degrees of freedom are estimated from. Their names are no attribute's.
signs AS MATERIALIZED (
    SELECT space, chr(1) || probe AS attribute, list(if(ascii(md5(probe || '/' || d)) % 2 = 0, 1, -1)::DOUBLE ORDER BY d) AS zy
    FROM gram CROSS JOIN (SELECT unnest(range(16)) AS probe) GROUP BY space, probe),
systems AS (SELECT space, attribute, zy FROM sums UNION ALL FROM signs),

-- (G + λI) w = Zᵀy by conjugate gradients (Hestenes and Stiefel 1952) for all attributes and spaces together: x the solution so far,
-- r what it leaves, p the direction of the next step, rr = ‖r‖².
cg(space, attribute, ridge, goal, step, x, r, p, rr) USING KEY (space, attribute) AS (
    SELECT space, attribute, ridge, 1e-24 * list_dot_product(zy, zy), 0, list_transform(zy, lambda value: 0::DOUBLE), zy, zy,
        list_dot_product(zy, zy)
    FROM systems JOIN penalties USING (space) JOIN shapes USING (space) WHERE ridge > 0 OR train > dim
    UNION ALL (
    WITH multiplied AS (
        SELECT cg.space, attribute, list(list_dot_product(g, p) + ridge * p[d] ORDER BY d) AS q
        FROM gram JOIN cg ON same_space(gram.space, cg.space) WHERE rr > goal AND step < 4 * len(p) GROUP BY cg.space, attribute),
    measured AS (SELECT cg.*, q, rr / list_dot_product(p, q) AS alpha FROM cg JOIN multiplied USING (space, attribute)),
    moved AS (
        SELECT * REPLACE (list_transform(x, lambda value, d: value + alpha * p[d]) AS x,
            list_transform(r, lambda value, d: value - alpha * q[d]) AS r)
        FROM measured),
    compared AS (SELECT *, list_dot_product(r, r) AS smaller FROM moved)
    SELECT space, attribute, ridge, goal, step + 1, x, r, list_transform(r, lambda value, d: value + smaller / rr * p[d]), smaller
    FROM compared)),
solved AS MATERIALIZED (
    SELECT space, attribute, x AS w, 1e-12 * sqrt(rr / goal) AS residual,
        if(rr > goal, 'conjugate gradients stopped at a relative residual of ' || residual || '; raise the penalty', NULL) AS failure
    FROM cg SEMI JOIN sums USING (space, attribute)),
-- Directions that hold most of the variance, in their effective number: what a row weighs in them follows its squared distance, in the others the
-- rows weigh alike.
ranks AS (SELECT space, sum(g[d]) ** 2 / sum(list_dot_product(g, g)) AS rank FROM gram GROUP BY space),
leverages AS (
    SELECT space, any_value(dim) - avg(ridge * list_dot_product(zy, x)) AS used
    FROM cg JOIN signs USING (space, attribute) JOIN shapes USING (space) GROUP BY space),

-- Fisher's direction is ridge's but for its length (Bishop 2006, 4.1.5): G = within-class scatter + kδδᵀ with δ the difference of the
-- means, and Sherman and Morrison's formula takes kδδᵀ away again.
fisher AS (
    SELECT space, attribute, w, k, 2 - list_dot_product(w, delta) AS overlap,
        coalesce(failure, if(overlap < 1e-9, 'the train rows are fitted exactly; raise the penalty', NULL)) AS failure
    FROM solved JOIN differences USING (space, attribute)),
directions AS MATERIALIZED (
    SELECT space, attribute, 'mean-difference' AS method, delta AS w, 1::DOUBLE AS length, NULL AS failure FROM differences
    UNION ALL
    SELECT space, attribute, 'ridge', w, 1::DOUBLE, failure FROM solved
    UNION ALL
    SELECT space, attribute, 'lda', list_transform(w, lambda value: value * train / (k * overlap)), train / (k * overlap), failure
    FROM fisher JOIN shapes USING (space)),

-- Scores of the train rows before b: the classes' means m1 and m0, and the variance within them.
means AS (SELECT space, list(mean ORDER BY d) AS mean FROM stacked GROUP BY space),
doubled AS (
    SELECT space, z::DOUBLE[] AS z, attributes, picture, list_distance(z::DOUBLE[], mean) ** 2 AS square
    FROM train_rows JOIN means USING (space) SEMI JOIN directions USING (space)),
scores AS MATERIALIZED (
    SELECT p.space, attribute, method, list_dot_product(z, w) AS score, attributes[attribute] AS value, square, picture
    FROM doubled l JOIN directions p ON same_space(l.space, p.space)),
classes AS (
    SELECT space, attribute, method, avg(score) FILTER (value) AS m1, avg(score) FILTER (NOT value) AS m0,
        (var_pop(score) FILTER (value) * count_if(value) + var_pop(score) FILTER (NOT value) * count_if(NOT value)) / (count(*) - 2) AS variance
    FROM scores GROUP BY ALL),
methods AS (SELECT unnest(['ridge', 'lda', 'mean-difference']) AS method),
judged AS (
    SELECT *, ln(nullif(positive, 0) / nullif(negative, 0)) AS log_odds, coalesce(label_error, failure, CASE
        WHEN w IS NULL THEN 'least squares has no single answer: ' || train || ' train rows in ' || dim || ' dimensions; set a penalty'
        WHEN NOT coalesce(variance > 0 AND isfinite(variance), false) THEN 'train scores do not vary within the classes' END) AS error
    FROM labels CROSS JOIN methods CROSS JOIN settings
    LEFT JOIN directions USING (space, attribute, method) LEFT JOIN classes USING (space, attribute, method)),
intercepts AS (
    SELECT *, (positive * m1 + negative * m0) / train AS middle, (positive - negative) / train - middle / length AS ridge_b,
        CASE method WHEN 'ridge' THEN ridge_b WHEN 'lda' THEN log_odds - (m1 + m0) / 2 ELSE -(m1 + m0) / 2 END AS b
    FROM judged),

-- Scores of rows that were not fitted on, nor copies of theirs. Without c equal rows, the mean of a class of m lies ec / (m - c) further away.
spreads AS (SELECT space, sum(square) AS spread FROM doubled GROUP BY space),
weighed AS (
    SELECT space, attribute, method, value, score + b AS whole, ridge_b, length, b, if(value, 1, -1) AS y, score / length + ridge_b AS fitted,
        count(*) OVER copies AS alike, avg(if(value, 1, -1)) OVER copies AS of_alike, alike * (1 + if(value, of_alike, -of_alike)) / 2 AS removed,
        greatest(1 - alike * (1 / train + least(least(used, rank) / spread * square + greatest(used - rank, 0) / train, .99)), 1e-9) AS kept,
        if(value, negative, -positive) / train AS towards, removed / greatest(if(value, positive, negative) - removed, 1) AS further,
        square - 2 * (score - middle) * towards + towards ** 2 * list_dot_product(w, w) AS distance
    FROM scores JOIN intercepts USING (space, attribute, method) JOIN spreads USING (space) JOIN ranks USING (space)
        LEFT JOIN leverages USING (space)
    WHERE error IS NULL WINDOW copies AS (PARTITION BY space, attribute, method, picture)),
left_out AS (
    SELECT space, attribute, method, value, if(method = 'mean-difference', whole - y * distance * (further + .5 * further ** 2),
        length * (of_alike - (of_alike - fitted) / kept - ridge_b) + b) AS score
    FROM weighed),
calibrated AS (
    SELECT space, attribute, method, avg(score) FILTER (value) AS high, avg(score) FILTER (NOT value) AS low,
        (var_pop(score) FILTER (value) * count_if(value) + var_pop(score) FILTER (NOT value) * count_if(NOT value)) / (count(*) - 2) AS spread,
        greatest(high - low, 0) / spread AS slope
    FROM left_out GROUP BY ALL),
placed AS (FROM intercepts LEFT JOIN calibrated USING (space, attribute, method))
SELECT space, attribute, method, 'sql' AS engine, if(method = 'mean-difference', NULL, penalty) AS penalty, NULL::BIGINT AS rank,
    0::BIGINT AS split_seed, if(error IS NULL, 'ok', 'refused') AS status, error,
    if(error IS NULL, w, NULL) AS w, if(error IS NULL, b, NULL) AS b, if(error IS NULL, slope, NULL) AS slope,
    if(error IS NULL, log_odds - slope * (high + low) / 2, NULL) AS "offset", train, positive::BIGINT AS train_positive
FROM placed ORDER BY space, attribute, method;

SELECT space, method, status, error, count(*) AS probes, max(train) AS train FROM fitted GROUP BY ALL ORDER BY ALL;
