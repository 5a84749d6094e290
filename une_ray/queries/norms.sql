-- ‖z‖ of every space beside that of a standard normal.
SELECT space, dim, round(mean_norm, 2) AS mean_norm, round(std_norm, 2) AS std_norm, round(gaussian_norm, 2) AS gaussian_norm FROM norms;
