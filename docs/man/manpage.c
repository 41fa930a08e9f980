// Writes the source of a manual page for scdoc: `manpage regc` for the overview, `manpage COMMAND` for a
// command. Synopsis, description and options come from the tables that regc itself is made from; what stands
// in the file named second (examples, files) is appended.
#include "compiler/driver/driver.h"
#include <stdio.h>
#include <string.h>

static const OptionInfo options[OPT_COUNT] = {
#define OPTION(id, letter, word, argument, commands, sentence) {letter, word, argument, sentence, commands},
#include "compiler/driver/options.def"
#undef OPTION
};

static const CommandInfo commands[CMD_COUNT] = {
#define COMMAND(name, arguments, sentence, story) {#name, arguments, sentence, story},
#include "compiler/driver/commands.def"
#undef COMMAND
};

// What scdoc would take for markup is escaped; `code` becomes bold.
static void put(const char *text) {
  bool code = false;
  if (*text == '-') putchar('\\'); // at the start of a line: an item of a list
  for (; *text; text++) {
    if (*text == '`') {
      putchar('*');
      code = !code;
    } else {
      if (strchr("\\_*#[<.", *text)) putchar('\\');
      putchar(*text);
    }
  }
}

static void put_options(unsigned mask, bool exactly) {
  for (int i = 0; i < OPT_COUNT; i++) {
    const OptionInfo *o = &options[i];
    if (exactly ? o->commands != mask : !(o->commands & mask)) continue;
    if (o->letter) printf("*-%c*, ", o->letter);
    printf("*--%s*", o->word);
    if (o->argument) {
      printf("=_");
      put(o->argument);
      putchar('_');
    }
    printf("\n\t");
    put(o->sentence);
    printf("\n\n");
  }
}

static void overview(void) {
  puts("regc(1) \"\" \"regc\"\n\n# NAME\n\nregc - compiler of .reg, a language for regularized training "
       "pipelines\n\n"
       "# SYNOPSIS\n\n*regc* _command_ [_option_...] [_argument_...]++\n*regc* _file_\n\n# COMMANDS\n");
  for (int i = 0; i < CMD_COUNT; i++) {
    printf("*regc-%s*(1)\n\t", commands[i].name);
    put(commands[i].sentence);
    printf("\n\n");
  }
  puts("# OPTIONS OF EVERY COMMAND\n");
  put_options(ON_ALL, true);
}

static void command(int c) {
  printf("regc-%s(1) \"\" \"regc\"\n\n# NAME\n\nregc-%s - ", commands[c].name, commands[c].name);
  put(commands[c].sentence);
  printf("\n\n# SYNOPSIS\n\n*regc %s* [_option_...] ", commands[c].name);
  put(commands[c].arguments);
  printf("\n\n# DESCRIPTION\n\n");
  put(commands[c].story);
  printf("\n\n# OPTIONS\n\n");
  put_options(1U << c, false);
}

int main(int argc, char **argv) {
  int c = 0;
  if (argc < 2) return 2;
  while (c < CMD_COUNT && strcmp(argv[1], commands[c].name) != 0) c++;
  if (c < CMD_COUNT)
    command(c);
  else
    overview();
  FILE *more = argc > 2 ? fopen(argv[2], "r") : NULL;
  for (int ch; more && (ch = getc(more)) != EOF;) putchar(ch);
  if (more) fclose(more);
  if (c < CMD_COUNT) puts("\n# SEE ALSO\n\n*regc*(1)");
  return ferror(stdout) ? 1 : 0;
}
