"""Which attributes are linear in a space, and do spaces map onto one another? Beside their controls.

python examples/3_probe_and_transfer.py [LAKE]    # by default that of 1_build.py
"""

import sys

import une_ray

lake = une_ray.open(sys.argv[1] if len(sys.argv) > 1 else "examples-lake")

probes = lake.probe()  # every space, five splits, shuffled labels; what was done is kept
for row in probes.table.to_pylist():
    margin = f"{row['auc']:.3f} ± {row['auc_margin']:.3f}"
    print(f"{row['space']:20} AUC {margin}, on shuffled labels {row['permuted']:.3f}")

maps = lake.transfer("mini-sd-a/ddim20,pixels-16", "mini-dino")
for row in maps.table.to_pylist():
    print(f"{row['source']:20} → {row['target']}, {row['map']:8} centred cosine {row['centred_cosine']:+.3f}")

# Where a probe errs, as pictures: glasses that it does not see.
wrong = """SELECT image_id, score FROM probe_scores('mini-dino')
    WHERE attribute = 'Eyeglasses' AND split = 'test' AND value AND score < 0 ORDER BY score LIMIT 8"""
if lake.rows(wrong):
    lake.contact_sheet(wrong, columns=4).save("missed-glasses.png")
    print("missed-glasses.png")
