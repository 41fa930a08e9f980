// What `regc build` writes: a program with its code, and a model with its weights for embedding.
#ifndef REG_BINARY_H
#define REG_BINARY_H
#include "train.h"

// A model that can predict: weights in place, what its inputs are, what was learned from the training data.
typedef struct reg_model {
  const reg_program *program;
  const reg_train *train;
  const reg_dataset *data; // fields without values: names and sizes of x, classes of the target
  void *const *params, *const
                           *states; // train->nparams and nstates; states that `predict` does not read: NULL
} reg_model;

// Numbers of one row of x, and of a prediction.
int64_t reg_model_inputs(const reg_model *m);
int64_t reg_model_outputs(const reg_model *m);
// y (rows x outputs, of the program's floats) of rows as they are in the data file, texts as tokens: what was
// learned from the training data is applied here. Fills st on failure, where it is not NULL; returns its
// code. One thread; may be called from several at once.
int reg_model_predict(const reg_model *m, const reg_rows *rows, void *y, reg_status *st);
// The same without a message: what the functions of `regc build --model-only` call. 0, or a status code.
int reg_model_call(const reg_model *m, const float *x, int64_t rows, void *y);
int reg_model_call_double(const reg_model *m, const double *x, int64_t rows, void *y);

// Predictions of a file's rows.
typedef struct reg_prediction {
  const char *weights, *in, *out; // out NULL: standard output
  reg_skipping *skipping;         // NULL: a row that cannot be read ends it
} reg_prediction;
// The training of this name, or the only one; NULL: st is filled. Its `answer` must be compiled for
// reg_predict.
const reg_train *reg_predict_train(const reg_program *p, const char *model, reg_status *st);
// `data`: one for each data set.
int reg_predict(const reg_program *p, const reg_dataset *const *data, const reg_train *t,
                const reg_prediction *o, reg_status *st);
// Tells rows that are left out on standard error, the first ones and how many.
reg_skipping *reg_skipping_begin(reg_skipping *s);
void reg_skipping_end(const reg_skipping *s);

// A whole program. Its data sets are read when it runs and must be what it was compiled for.
typedef struct reg_binary {
  reg_program *program;         // the one that runs: the first unless another batch is asked for
  reg_program *const *programs; // one for each size of batches that it was compiled for
  int nprograms;
  const reg_dataset *const *expected; // one for each data set: fields without values, parts without rows
  const char *name;                   // the program's file name without `.reg`
  const char *doc;                    // its doc comment, or NULL
  const char *compiler;               // "regc 0.1.0, LLVM 19.1.7"
  const char *cpu;                    // "x86-64-v3"
  const void *images;                 // their reader, where data are images: what brings it into the binary
} reg_binary;

// The command line of a standalone binary; returns the exit code.
int reg_binary_main(reg_binary *b, int argc, char **argv);
#endif
