// Help and version, expanded from commands.def and options.def.
#include "../backend/backend.h"
#include "driver.h"
#include <string.h>

static void print_option(FILE *out, const OptionInfo *h) {
  char left[48];
  char letter[5] = "    ";
  if (h->letter) snprintf(letter, sizeof letter, "-%c, ", h->letter);
  snprintf(left, sizeof left, "%s--%s%s%s", letter, h->word, h->argument ? "=" : "",
           h->argument ? h->argument : "");
  fprintf(out, "  %-26s %s\n", left, h->sentence);
}

static void print_overview(FILE *out) {
  fputs("regc: the compiler of .reg, a language for regularized training pipelines\n\n"
        "Usage: regc [COMMAND] [OPTION...] [ARGUMENT...]\n\nCommands (`regc FILE` runs FILE):\n",
        out);
  for (int i = 0; i < CMD_COUNT; i++) {
    char left[48];
    snprintf(left, sizeof left, "%s %s", command_info[i].name, command_info[i].arguments);
    fprintf(out, "  %-26s %s\n", left, command_info[i].sentence);
  }
  fputs("\nOptions of every command:\n", out);
  for (int i = 0; i < OPT_COUNT; i++)
    if (option_info[i].commands == ON_ALL) print_option(out, &option_info[i]);
  fputs("\n`regc COMMAND --help` shows a command's own options; `regc explain exit-codes` the exit codes.\n",
        out);
}

void help_print(FILE *out, const CommandId *command) {
  if (!command) {
    print_overview(out);
    return;
  }
  fprintf(out, "Usage: regc %s [OPTION...] %s\n\n", command_info[*command].name,
          command_info[*command].arguments);
  text_fill(out, command_info[*command].story);
  fputs("\nOptions:\n", out);
  for (int i = 0; i < OPT_COUNT; i++)
    if (option_info[i].commands & (1U << *command)) print_option(out, &option_info[i]);
}

void version_print(FILE *out) {
  Arena *a = arena_new();
  fprintf(out, "regc %s\n%s\n%s\n", REG_VERSION, backend_default()->describe(a), reg_blas_version());
  arena_free(a);
}
