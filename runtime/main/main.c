// The entry of standalone binaries; `regc build` makes reg_binary_program.
#include "reg/binary.h"
#include "reg/console.h"
#include <stdlib.h>

extern reg_binary reg_binary_program;

REG_WITHOUT_BLAS_THREADS

// In a static binary OpenBLAS is told so: its own constructor comes behind this one.
__attribute__((constructor(101))) static void one_blas_thread(void) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
}

int main(int argc, char **argv) { return reg_binary_main(&reg_binary_program, argc, argv); }
