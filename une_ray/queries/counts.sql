-- Images per space and status, and the rejects with their reasons.
SELECT * FROM counts;
SELECT error, count(*) AS images, min(source) AS example FROM rejects GROUP BY error ORDER BY images DESC;
