"""How far a value may be from the reading's, and whether it is."""
import numpy as np

EPS = 2.0 ** -24
LOOSE = 0.05  # a tolerance beyond this share of the value says nothing


def tolerance(exact, noisy, error):
    """From readers whose noise is 16 times that of 32-bit floats; `error`: of the reading's own differences."""
    with np.errstate(all="ignore"):
        spread = np.max([np.abs(v - exact) for v in noisy], axis=0) / 16
        spread = np.where(np.isfinite(spread), spread, 0)
        scale = np.max(np.where(np.isfinite(exact), np.abs(exact), 0), initial=0)
        return 24 * spread + 8 * (spread.max(initial=0) if spread.size else 0) + 8 * EPS * np.abs(np.where(np.isfinite(exact), exact, 0)) \
            + 2 * EPS * scale + 10 * error + 1e-9


def compare(found, exact, allowed):
    if found.shape != exact.shape:
        return "differs", f"shape is {list(found.shape)}, expected {list(exact.shape)}"
    with np.errstate(all="ignore"):
        same = (np.abs(found - exact) <= allowed) | (found == exact) | (np.isnan(found) & np.isnan(exact))
        if same.all():
            return "same", ""
        if np.nanmax(np.where(np.isfinite(exact), np.abs(exact), 0)) > 1e30 or np.nanmax(allowed) > LOOSE * (
                np.nanmax(np.where(np.isfinite(exact), np.abs(exact), 0)) + 1e-3):
            return "skip", "beyond what 32-bit floats tell"
        k = np.unravel_index(int(np.argmin(same)), same.shape)
    return "differs", f"element {list(map(int, k))} is {found[k]:.9g}, expected {exact[k]:.9g} +- {allowed[k]:.2g}"
