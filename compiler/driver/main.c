// regc: the command line's entry. Only here, and in an internal error, does the process end.
#include "driver.h"
#include <locale.h>
#include <signal.h>
#include <unistd.h>

typedef int (*CommandFn)(Session *s, const Options *o);

static const CommandFn command_fns[CMD_COUNT] = {
#define COMMAND(name, arguments, sentence, story) cmd_##name,
#include "commands.def"
#undef COMMAND
};

REG_WITHOUT_BLAS_THREADS

// LLVM ends the process where memory runs out, after a word of its own.
static void on_abort(int number) {
  static const char text[] = "regc: aborted; out of memory, or a mistake of the compiler\n";
  (void)number;
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(REG_CANNOT_WRITE);
  _exit(REG_INTERNAL);
}

int main(int argc, char **argv) {
  Options options = {.start = process_start()};
  reg_process_begin();
  signal(SIGABRT, on_abort);
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    fputs("regc: this processor lacks AVX2 or FMA, which compiled programs need\n", stderr);
    return REG_INTERNAL;
  }
  setlocale(LC_CTYPE, ""); // characters only: numbers stay in the C locale
  Session *session = session_new();
  int code = EXIT_OK;
  if (options_parse(&options, session->arena, argc, argv, &code))
    code = command_fns[options.command](session, &options);
  session_free(session);
  return reg_process_end("regc", code);
}
