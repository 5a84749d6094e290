-- The spaces from the widest to the narrowest.
CREATE OR REPLACE VIEW widest AS SELECT space, spread FROM spreads ORDER BY spread DESC;
