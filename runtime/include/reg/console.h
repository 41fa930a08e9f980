// What a person sees of a run, in regc and in standalone binaries alike: a table and a live line on a
// terminal, plain lines elsewhere, JSON Lines on request; and the signals that end or save it.
#ifndef REG_CONSOLE_H
#define REG_CONSOLE_H
#include "train.h"
#include <stdio.h>

typedef struct reg_terminal { // how a stream wants to be written to
  bool color, utf8, live;     // live: a terminal whose line can be redrawn
  int width, height;
} reg_terminal;

// `color`: "auto", "always", "never" or NULL (auto).
reg_terminal reg_terminal_of(FILE *f, const char *color);

typedef struct reg_console {
  reg_terminal out, err;
  bool json;               // events on standard output instead of results
  bool bar, plain;         // progress on standard error; neither: silent
  int live_shown;          // so many lines are waiting to be redrawn
  bool lost;               // memory ran out for an event
  double drawn;            // when
  int64_t first_step;      // of the training at hand: more than 0 where it goes on with an earlier one
  const reg_train *headed; // whose table header was printed
} reg_console;

// `progress`: "auto", "bar", "plain", "none" or NULL (auto).
void reg_console_init(reg_console *c, reg_terminal out, reg_terminal err, const char *progress, bool json);
void reg_console_sink(void *user, const reg_event *e); // reg_run_options.sink, with a reg_console as user
void reg_console_results(FILE *out, reg_terminal t, const reg_event *e); // of REG_EVENT_EVALUATE
void reg_console_report(FILE *out, reg_terminal t, const reg_event *e);  // of REG_EVENT_REPORT
void reg_console_view(FILE *out, reg_terminal t, const reg_event *e);    // likewise, of runs
const char *reg_console_act(const reg_event *e, char out[24]); // " #2" where it acts for the second time
// The event of a run that ended before it began, as a line of JSON on standard output.
void reg_console_error(const reg_status *st);
// A failed status as a message on standard error; interruptions and rejections were told before.
void reg_console_status(const reg_console *c, const reg_status *st);
// The same for a run that ended with `code`; the exit code.
int reg_console_end(const reg_console *c, int code, reg_status *st);

// OpenBLAS makes threads of its own when it is loaded, each with a buffer of 128 MB, which are never used
// here: products run on one thread and the pool splits the work. A program that defines this has none of
// them. In a statically linked one the library's own definition counts.
#define REG_WITHOUT_BLAS_THREADS                                                                             \
  int blas_thread_init(void);                                                                                \
  __attribute__((weak)) int blas_thread_init(void) { return 0; }

// First thing in main: descriptors 0 to 2 are there. Last thing: what was written to standard output has
// arrived, or that is told, and the exit code is REG_CANNOT_WRITE in place of 0.
void reg_process_begin(void);
int reg_process_end(const char *name, int code);

// The flag that the first Ctrl-C, SIGTERM, SIGHUP, SIGXCPU or SIGPIPE sets.
volatile int *reg_signals_install(void);
// From now on a second Ctrl-C does not end the process; `text` (static) is told instead.
void reg_signals_stay(const char *text);
volatile int *reg_signals_checkpoint(void); // how often SIGUSR1 came
int reg_signals_exit_code(int code);        // REG_INTERRUPTED becomes that of the signal: 143, 129, 73
#endif
