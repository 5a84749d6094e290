-- Of several runs over one set of coordinates of a space, the one with the most images.
CREATE OR REPLACE VIEW largest_disentanglement AS
SELECT * FROM disentanglement SEMI JOIN (
    SELECT space, codes, config FROM disentanglement GROUP BY space, codes, config
    QUALIFY row_number() OVER (PARTITION BY space, codes ORDER BY max(images) DESC, max(draws) DESC, config) = 1)
    USING (space, codes, config);

-- What coordinates of a space say of its corpus' factors, side by side: its own axes where they are few, principal components, independent
-- components and probes, and the mean of random rotations of the axes, of the principal components and of the probes' scores.
CREATE OR REPLACE VIEW disentanglement_axes AS
SELECT space, metric,
    max(score) FILTER (codes = 'axes' AND control IS NULL) AS axes,
    max(score) FILTER (codes = 'pca' AND control IS NULL) AS pca,
    max(score) FILTER (codes = 'ica' AND control IS NULL) AS ica,
    max(score) FILTER (codes = 'probes' AND control IS NULL) AS probes,
    max(score) FILTER (codes = 'pca' AND control = 'rotated') AS rotated,
    max(score) FILTER (codes = 'axes' AND control = 'rotated') AS rotated_axes,
    max(score) FILTER (codes = 'probes' AND control = 'rotated') AS rotated_probes,
    max(score) FILTER (codes = 'pca' AND control = 'permuted') AS permuted
FROM largest_disentanglement GROUP BY space, metric ORDER BY space, metric;
