// A model's weights as a file: its parameters, and the state of its layers that evaluation reads (running
// statistics), as .safetensors under their paths ("net.hidden.weight").
#ifndef REG_WEIGHTS_H
#define REG_WEIGHTS_H
#include "program.h"

// Name of a training's weights in the folder of a run: weights.safetensors, or weights-NAME.safetensors where
// the program has several trainings. To be freed; NULL: out of memory.
char *reg_weights_path(const reg_program *p, const reg_train *t, const char *folder);

int reg_weights_write(const reg_train *t, float *const *params, float *const *states, const char *path,
                      reg_status *st);
// Fills params, and the states that belong to the model, from the file; either all of them or, on failure,
// none. Missing, extra and misshapen tensors are named. A path that is a folder is a run's.
// weights_missing (REG_MISSING_INPUT), weights_bad (REG_BAD_DATA).
int reg_weights_read(const reg_program *p, const reg_train *t, const char *path, float *const *params,
                     float *const *states, reg_status *st);
#endif
