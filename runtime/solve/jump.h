#ifndef REG_SOLVE_JUMP_H
#define REG_SOLVE_JUMP_H
#include <stdbool.h>
#include <stdint.h>

// d becomes q^-1 d, of a symmetric q [n, n] that is not negative; q is overwritten. False: it cannot be
// factored.
bool jump_direction(int64_t n, double *q, double *d);
#endif
