// The runtime's tables, filled from what lowering found. Functions are planned and compiled when they are
// first needed, so that the first training step comes early.
#ifndef DRIVER_PROGRAM_TABLE_H
#define DRIVER_PROGRAM_TABLE_H
#include "pipeline.h"
#include "reg/program.h"

// Behind reg_function.source: which graph it is, and how far it has come.
typedef struct FunctionSource {
  LowerTrain *train;       // of training functions
  LowerEvaluate *evaluate; // of evaluation functions
  const LowerApply *apply; // of straight lines
  LowerKind kind;          // with train
  bool metrics;            // with evaluate: metrics of all predictions instead of predict
  bool keep_all;
  LoopFn *loops; // NULL until planned
} FunctionSource;

typedef struct ProgramTable {
  Pipeline *pipeline;
  reg_program program;
} ProgramTable;

// With `check`, the step itself keeps every value, for comparison with the interpreter.
ProgramTable *program_table(Pipeline *p, bool check);
// From the file on; the exit code.
int program_open(Pipeline *p, const char *path, ProgramTable **table);
// Graph, passes and loops of f, its slots and scratch size; no code yet. Non-zero after a failure, told in
// st.
int function_plan(ProgramTable *t, reg_function *f, reg_status *st);
// function_plan and code.
int function_compile(ProgramTable *t, reg_function *f, reg_status *st);
// A function that makes data, compiled: see LowerHost.columns.
reg_function *columns_function(Pipeline *p, const Graph *g, int64_t rows, reg_status *st);
const LoopFn *function_loops(const reg_function *f); // NULL before function_plan
// Calls `each` for every function that the program has, until one call is not 0, whose value it returns.
// Without `all`: those that a run needs as long as nothing goes wrong.
int program_functions(ProgramTable *t, bool all, int (*each)(void *user, ProgramTable *t, reg_function *f),
                      void *user);
reg_function *main_step(const reg_train *t); // of full batches, or of the only, smaller one
#endif
