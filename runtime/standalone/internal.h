// The parts of a standalone binary's command line.
#ifndef REG_STANDALONE_INTERNAL_H
#define REG_STANDALONE_INTERNAL_H
#include "reg/binary.h"
#include "reg/console.h"
#include "support.h"
#include "text/text.h"

typedef enum BinaryCommand { BINARY_TRAIN, BINARY_EVALUATE, BINARY_PREDICT } BinaryCommand;

typedef struct BinaryOptions {
  BinaryCommand command;
  int threads;
  uint64_t seed;
  bool has_seed, resume, tensorboard, json, quiet, skip_bad;
  int64_t steps;
  double checkpoint; // seconds; negative: the default
  const char *out, *in, *weights, *model, *color, *progress;
  Heap heap; // owns what the options changed
} BinaryOptions;

enum { BINARY_USAGE = 2 };

// True to go on; else *code is how to end (help or version were printed, or a mistake was told). Changes of
// data paths and settings are made in the program at once.
bool binary_options(reg_binary *b, BinaryOptions *o, int argc, char **argv, int *code);
void binary_help(const reg_binary *b, FILE *out);
void binary_version(const reg_binary *b, FILE *out);
int binary_usage(const reg_binary *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Reads the data sets and compares them with those that the program was compiled for.
int binary_load(reg_binary *b, const BinaryOptions *o, reg_status *st);
int binary_predict(const reg_binary *b, const BinaryOptions *o, reg_status *st);
#endif
