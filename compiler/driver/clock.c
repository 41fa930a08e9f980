// The clock.
#include "driver.h"
#include <time.h>

double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The start in /proc is known to 10 ms only; what the process has computed before main (loading, relocation)
// is known exactly.
double process_start(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return now_seconds() - (double)used.tv_sec - 1e-9 * (double)used.tv_nsec;
}
