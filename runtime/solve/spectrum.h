#ifndef REG_SOLVE_SPECTRUM_H
#define REG_SOLVE_SPECTRUM_H
#include "support.h"

// Working memory for the singular values of matrices w, [rows, columns].
typedef struct Spectrum Spectrum;

Spectrum *spectrum_new(int64_t rows, int64_t columns, Heap *heap); // NULL: no memory
// How many there are, the largest first; NAN where LAPACK finds none.
int spectrum_values(Spectrum *s, const double *w, const double **values);
// Each by t nearer to 0. Cai, Candes & Shen 2010, A Singular Value Thresholding Algorithm for Matrix
// Completion.
void spectrum_shrink(Spectrum *s, double *w, double t);
#endif
