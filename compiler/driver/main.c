// regc: the command line's entry. Only here, and in an internal error, does the process end.
#include "driver.h"
#include <locale.h>

typedef int (*CommandFn)(Session *s, const Options *o);

static const CommandFn command_fns[CMD_COUNT] = {
#define COMMAND(name, arguments, sentence, story) cmd_##name,
#include "commands.def"
#undef COMMAND
};

int main(int argc, char **argv) {
  Options options = {.start = process_start()};
  reg_process_begin();
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
