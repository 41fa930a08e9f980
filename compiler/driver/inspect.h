// --check: every stored value of a compiled step against the interpreter.
#ifndef DRIVER_INSPECT_H
#define DRIVER_INSPECT_H
#include "program_table.h"
#include "reg/train.h"

typedef struct Inspector Inspector;
Inspector *inspector_new(Pipeline *p);
void inspector_free(Inspector *c);
// reg_run_options.inspect, with an Inspector as user; 70 after a violation, which was told.
int inspector_step(void *user, int phase, const reg_train *t, const reg_function *f, void *const *slots,
                   int64_t step);
void inspector_summary(const Inspector *c, FILE *out);
#endif
