-- What is left of the glasses' probe when grey hair and gender are to stay as they are; `orthogonalized` is a macro of noisezoo.sql.
SELECT round(remaining_norm, 4) AS remaining_norm, round(b, 4) AS b, w[:3] AS first_weights
FROM orthogonalized('mini-sd-a/ddim50', 'Eyeglasses', ['Gray_Hair', 'Male']);
