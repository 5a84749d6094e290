-- Of several runs over a space, the scores that may be compared: of one estimate (full, or else --fast) against one kind of labels (factors,
-- or else attributes), and of those for every metric of a set of coordinates the run with the most images. What an earlier une_ray measured,
-- which did not say whether it was fast, stands where there is nothing else.
CREATE OR REPLACE VIEW largest_disentanglement AS
SELECT * FROM disentanglement SEMI JOIN (
    SELECT space, codes, metric, config FROM disentanglement GROUP BY space, codes, metric, config, labels, fast
    QUALIFY dense_rank() OVER (PARTITION BY space ORDER BY fast NULLS LAST, labels = 'attributes') = 1
        AND row_number() OVER (PARTITION BY space, codes, metric
            ORDER BY fast NULLS LAST, labels = 'attributes', max(images) DESC, max(draws) DESC, config) = 1)
    USING (space, codes, metric, config);

-- What coordinates of a space say of its corpus' factors or attributes (`labels`), side by side: its own axes where they are few, principal
-- components, independent components and probes, and the mean of random rotations of the axes, of the principal components and of the probes'
-- scores. All of a space are of the same labels and the same estimate (`fast`).
CREATE OR REPLACE VIEW disentanglement_axes AS
SELECT space, metric,
    max(score) FILTER (codes = 'axes' AND control IS NULL) AS axes,
    max(score) FILTER (codes = 'pca' AND control IS NULL) AS pca,
    max(score) FILTER (codes = 'ica' AND control IS NULL) AS ica,
    max(score) FILTER (codes = 'probes' AND control IS NULL) AS probes,
    max(score) FILTER (codes = 'pca' AND control = 'rotated') AS rotated,
    max(score) FILTER (codes = 'axes' AND control = 'rotated') AS rotated_axes,
    max(score) FILTER (codes = 'probes' AND control = 'rotated') AS rotated_probes,
    max(score) FILTER (codes = 'pca' AND control = 'permuted') AS permuted,
    labels, fast
FROM largest_disentanglement GROUP BY space, metric, labels, fast ORDER BY space, metric;
