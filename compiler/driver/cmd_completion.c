// regc completion: scripts for bash, zsh and fish, expanded from the tables of commands and options.
#include "driver.h"
#include <string.h>

static bool belongs(int option, int command) { return option_info[option].commands & (1U << command); }

// The values of an option that has a fixed set of them, apart by blanks; NULL.
static const char *choices(Arena *a, int option) {
  const char *argument = option_info[option].argument;
  if (option == OPT_EMIT) return emit_stages;
  if (option == OPT_CPU) return "native x86-64-v3 x86-64-v4";
  if (!argument || !strchr(argument, '|')) return NULL;
  char *text = arena_strdup(a, argument);
  for (char *c = text; (c = strchr(c, '|'));) *c = ' ';
  return text;
}

// Without what would end a quoted word of a shell.
static const char *quotable(Arena *a, const char *text) {
  char *out = arena_strdup(a, text);
  for (char *c = out; *c; c++)
    if (strchr("'\"`$\\[]:", *c)) *c = ' ';
  return out;
}

static void print_bash(Arena *a) {
  puts("_regc() {\n"
       "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
       "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
       "    [[ ${COMP_WORDS[i]} != -* ]] && { command=${COMP_WORDS[i]}; break; }\n"
       "  done\n"
       "  [[ $before == '=' ]] && before=${COMP_WORDS[COMP_CWORD-2]}\n"
       "  [[ $word == '=' ]] && word=\n"
       "  case $before in");
  for (int i = 0; i < OPT_COUNT; i++)
    if (choices(a, i))
      printf("    --%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n", option_info[i].word,
             choices(a, i));
  puts("  esac\n  local words=\n  case $command in");
  for (int c = 0; c < CMD_COUNT; c++) {
    printf("    %s) words='", command_info[c].name);
    for (int i = 0; i < OPT_COUNT; i++)
      if (belongs(i, c)) printf("--%s%s ", option_info[i].word, option_info[i].argument ? "=" : "");
    puts("' ;;");
  }
  printf("    '') words='");
  for (int c = 0; c < CMD_COUNT; c++) printf("%s ", command_info[c].name);
  puts("--help --version' ;;\n  esac\n"
       "  if [[ $command == completion ]]; then words='bash zsh fish'; fi\n"
       "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
       "  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
       "  [[ $word != -* ]] && COMPREPLY+=($(compgen -f -- \"$word\"))\n"
       "}\ncomplete -o filenames -F _regc regc");
}

static void print_zsh(Arena *a) {
  puts("#compdef regc\n_regc() {\n  local -a commands\n  commands=(");
  for (int c = 0; c < CMD_COUNT; c++)
    printf("    '%s:%s'\n", command_info[c].name, quotable(a, command_info[c].sentence));
  puts("  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    _files -g '*.reg'\n    "
       "return\n"
       "  fi\n  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in");
  for (int c = 0; c < CMD_COUNT; c++) {
    printf("    %s) _arguments", command_info[c].name);
    for (int i = 0; i < OPT_COUNT; i++) {
      const OptionInfo *o = &option_info[i];
      if (!belongs(i, c)) continue;
      printf(" \\\n      '--%s%s[%s]", o->word, o->argument ? "=" : "", quotable(a, o->sentence));
      if (choices(a, i))
        printf(":value:(%s)", choices(a, i));
      else if (o->argument)
        printf(":%s:_files", quotable(a, o->argument));
      putchar('\'');
    }
    puts(c == CMD_completion ? " \\\n      '*:shell:(bash zsh fish)' ;;" : " \\\n      '*:file:_files' ;;");
  }
  puts("  esac\n}\nif [[ $funcstack[1] == _regc ]]; then _regc \"$@\"; else compdef _regc regc; fi");
}

static void print_fish(Arena *a) {
  for (int c = 0; c < CMD_COUNT; c++)
    printf("complete -c regc -n __fish_use_subcommand -a %s -d '%s'\n", command_info[c].name,
           quotable(a, command_info[c].sentence));
  for (int c = 0; c < CMD_COUNT; c++)
    for (int i = 0; i < OPT_COUNT; i++) {
      const OptionInfo *o = &option_info[i];
      if (!belongs(i, c)) continue;
      printf("complete -c regc -n '__fish_seen_subcommand_from %s' -l %s -d '%s'", command_info[c].name,
             o->word, quotable(a, o->sentence));
      if (o->letter) printf(" -s %c", o->letter);
      if (choices(a, i))
        printf(" -x -a '%s'", choices(a, i));
      else if (o->argument)
        printf(" -r");
      putchar('\n');
    }
  puts("complete -c regc -n '__fish_seen_subcommand_from completion' -x -a 'bash zsh fish'");
}

int cmd_completion(Session *s, const Options *o) {
  static const struct {
    const char *shell;
    void (*print)(Arena *);
  } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
  for (int i = 0; i < 3 && o->arguments.len == 1; i++)
    if (!strcmp(o->arguments.data[0], shells[i].shell)) {
      shells[i].print(s->arena);
      return EXIT_OK;
    }
  return usage_error("`regc completion` takes a shell: bash, zsh or fish");
}
