// What a person sees of a run: a table and a live line on a terminal, plain lines elsewhere, JSON Lines on
// request.
#ifndef DRIVER_PROGRESS_H
#define DRIVER_PROGRESS_H
#include "driver.h"
#include "reg/train.h"

typedef struct Progress {
  const Options *options;
  Arena *arena;
  bool bar, plain;         // neither: silent
  bool live_shown;         // a line is waiting to be redrawn
  double drawn;            // when
  int64_t first_step;      // of this run: a resumed training starts behind 0
  const reg_train *headed; // whose table header was printed
} Progress;

void progress_init(Progress *p, Arena *a, const Options *o);
void progress_sink(void *user, const reg_event *e); // reg_run_options.sink, with a Progress as user
// results.c
void results_print(FILE *out, Terminal t, const reg_event *e); // of REG_EVENT_EVALUATE
#endif
