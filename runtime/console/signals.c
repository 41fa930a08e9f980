// Ends from outside. The first signal of the table sets a flag, so that the running step is finished and
// everything written; a second one ends the process at once, unless there is more to lose than the run. What
// comes within 0.2 s of the first is the same one: some tools signal a process and then its group. A reader
// of the output that has gone (SIGPIPE) ends a run likewise; it is told once, whatever is written then.
// SIGUSR1 asks for a checkpoint. A handler can reach nothing but what is static.
#include "reg/console.h"
#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile int interrupted;
static volatile sig_atomic_t ended_by; // the first signal
static volatile double first_at;
static volatile int checkpoint_asked;
static const char *volatile stay; // told instead of ending at a second Ctrl-C; NULL: it ends

static int exit_code(int number) { return number == SIGPIPE ? REG_CANNOT_WRITE : 128 + number; }

static void on_signal(int number) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  if (interrupted && number == SIGPIPE) return;
  if (interrupted) {
    const char *text = stay;
    size_t n = 0;
    while (text && text[n]) n++;
    if (text && number == SIGINT) {
      if (now - first_at > 0.2 && write(STDERR_FILENO, text, n) < 0) stay = NULL; // the terminal is gone
      return;
    }
    if (now - first_at > 0.2) _exit(exit_code(number));
    return;
  }
  ended_by = number;
  first_at = now;
  interrupted = 1;
}

volatile int *reg_signals_install(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXCPU};
  enum { COUNT = sizeof numbers / sizeof *numbers };
  struct sigaction action = {.sa_handler = on_signal}, before;
  interrupted = 0;
  ended_by = 0;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < COUNT; i++) sigaddset(&action.sa_mask, numbers[i]);
  for (int i = 0; i < COUNT; i++) {
    // Who started the process with a signal ignored (nohup) means it.
    if (numbers[i] != SIGINT && sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN)
      continue;
    sigaction(numbers[i], &action, NULL);
  }
  return &interrupted;
}

void reg_signals_stay(const char *text) { stay = text; }

static void on_checkpoint(int number) {
  (void)number;
  checkpoint_asked++;
}

volatile int *reg_signals_checkpoint(void) {
  struct sigaction action = {.sa_handler = on_checkpoint, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, NULL);
  return &checkpoint_asked;
}

int reg_signals_exit_code(int code) {
  return code == REG_INTERRUPTED && ended_by ? exit_code(ended_by) : code;
}
