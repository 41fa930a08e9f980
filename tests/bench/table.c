// Reading a CSV file: `bench_table FILE TARGET`. Prints seconds of processor time of the thread that asks for
// it, of all threads, of the clock; and megabytes at the peak. Pieces are of equal length, so the first is
// what the clock would say where nobody else uses the processors. Run it under `taskset` for one thread.
#include "reg/data.h"
#include "reg/program.h"
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const reg_data_op csv = {.kind = REG_DATA_CSV, .path = argv[1], .target = argv[2]};
  const reg_data_plan plan = {.nops = 1, .ops = &csv, .dtype = REG_F32};
  const clockid_t clocks[] = {CLOCK_THREAD_CPUTIME_ID, CLOCK_PROCESS_CPUTIME_ID, CLOCK_MONOTONIC};
  double at[3];
  reg_status st = {0};
  struct rusage use;
  for (int i = 0; i < 3; i++) at[i] = seconds(clocks[i]);
  reg_dataset *d = reg_data_load(&plan, &st);
  for (int i = 0; i < 3; i++) at[i] = seconds(clocks[i]) - at[i];
  if (!d) {
    fprintf(stderr, "%s\n", st.text);
    return 1;
  }
  getrusage(RUSAGE_SELF, &use);
  printf("%.4f %.4f %.4f %ld %lld\n", at[0], at[1], at[2], use.ru_maxrss / 1024, (long long)d->nrows);
  reg_data_free(d);
  return 0;
}
